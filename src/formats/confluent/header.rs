//! The head of a record, and how records with each id are read.

use std::collections::HashMap;
use std::sync::Arc;

use crate::formats::{Fetch, FetchError, RowError};
use crate::schema_registry::{Known, Language, Registered, Registry};

/// A zero and four bytes of an id.
pub(super) const HEADER_BYTES: usize = 5;

/// The most ids whose plans are kept.
const PLANS_MAX: usize = 10_000;

/// How records are read, by the id of the schema that they were written with.
pub(super) struct Plans<P> {
    registry: Arc<Registry>,
    language: Language,
    made: Vec<Planned<P>>,
    /// Where the plan of each id stands.
    places: HashMap<u32, usize>,
    /// Where the last one stands, which mostly is the next one too.
    last: usize,
    /// The id of the record that was refused last because nothing is known of it.
    missing: Option<u32>,
}

struct Planned<P> {
    id: u32,
    /// Why no record with this id can be read, if none can.
    plan: Result<P, String>,
}

/// A record without its head.
pub(super) struct Body<'r, 'p, P> {
    pub plan: &'p mut P,
    pub bytes: &'r [u8],
}

impl<P> Plans<P> {
    pub(super) fn new(registry: Arc<Registry>, language: Language) -> Self {
        Self {
            registry,
            language,
            made: Vec::new(),
            places: HashMap::new(),
            last: 0,
            missing: None,
        }
    }

    /// The body of a record and its plan, which `make` makes of a schema that is new.
    pub(super) fn of<'r>(
        &mut self,
        record: &'r [u8],
        make: impl FnOnce(&Registered) -> Result<P, String>,
    ) -> Result<Body<'r, '_, P>, RowError> {
        let Some((&[0, a, b, c, d], bytes)) = record.split_first_chunk() else {
            return Err(RowError(format!(
                "has no schema id: it begins with {:02x?} instead of a zero byte and four of an id",
                record.get(..HEADER_BYTES).unwrap_or(record)
            )));
        };
        let id = u32::from_be_bytes([a, b, c, d]);
        if self.made.get(self.last).is_none_or(|plan| plan.id != id) {
            self.last = self.find(id, make)?;
        }
        let planned = self.made.get_mut(self.last);
        let planned = planned.expect("the plan was found or made just now");
        match &mut planned.plan {
            Ok(plan) => Ok(Body { plan, bytes }),
            Err(why) => Err(RowError(why.clone())),
        }
    }

    /// Where the plan of an id stands.
    #[cold]
    fn find(
        &mut self,
        id: u32,
        make: impl FnOnce(&Registered) -> Result<P, String>,
    ) -> Result<usize, RowError> {
        if let Some(place) = self.places.get(&id) {
            return Ok(*place);
        }
        let schema = match self.registry.known(id) {
            Some(Known::Schema(schema)) => schema,
            Some(Known::Unknown(why)) => return Err(RowError(why.to_string())),
            None => {
                self.missing = Some(id);
                return Err(RowError(format!(
                    "the schema with id {id} is not known yet"
                )));
            }
        };
        if self.made.len() == PLANS_MAX {
            self.made.clear();
            self.places.clear();
        }
        let plan = if schema.language == self.language {
            make(&schema).map_err(|why| format!("the schema with id {id} cannot be read by: {why}"))
        } else {
            let (is, wanted) = (schema.language.name(), self.language.name());
            Err(format!("the schema with id {id} is {is}, not {wanted}"))
        };
        let place = self.made.len();
        self.made.push(Planned { id, plan });
        self.places.insert(id, place);
        Ok(place)
    }

    /// Gets what the record that was refused last has lacked.
    pub(super) fn missing(&mut self) -> Option<Fetch> {
        let id = self.missing.take()?;
        let registry = Arc::clone(&self.registry);
        Some(Box::pin(async move {
            let learnt = registry.learn(id).await;
            learnt.map_err(|error| FetchError(error.to_string()))
        }))
    }
}
