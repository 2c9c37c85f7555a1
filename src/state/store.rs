//! The store: all of redb, opened, read and guarded against use after a failure.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use redb::{Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend};

use tokio::sync::oneshot;

use super::closed::{Closing, Closings};
use super::failure::{self, FILE_NAME, ResultExt as _};
use super::layout::{
    CLOSED, DELTAS, FORMAT_VERSION, META, META_FORMAT, META_HEADER, META_PROGRESS, PAGES, SCHEMAS,
    UnitKey, create_tables,
};
use super::units::Units;
use super::{Error, Folded, Header, Job, Progress, Result, StateSchema, Stats};
use crate::stream::{EventTime, KeyRange, OperatorId};

/// While a file of state is made it has this name, so that a crash leaves no
/// half-made file under the true one.
const NEW_FILE_NAME: &str = ".state.redb";
const LOCK_NAME: &str = "lock";

/// How to open a store.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// Memory for pages of the file.
    pub cache_bytes: usize,
    /// A unit (an operator's key group at one time) with less than this in the
    /// delta log is left alone: folding it would cost more than it saves.
    pub fold_bytes_min: u64,
    /// Folding takes about this much at a time, so that the commit that writes the
    /// result stays short; more if the checkpoints are large.
    pub fold_slice_bytes: u64,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 64 * 1024 * 1024,
            fold_bytes_min: 16 * 1024,
            fold_slice_bytes: 1024 * 1024,
        }
    }
}

/// The durable state of one node.
///
/// After its first failure it refuses everything: what the file holds beyond the
/// last commit that returned is unknown until it is opened anew.
pub struct Store {
    pub(super) database: Database,
    pub(super) options: OpenOptions,
    pub(super) job: Option<Job>,
    pub(super) schemas: HashMap<u32, StateSchema>,
    pub(super) units: Units,
    pub(super) closed: Closings,
    /// Pages that wait for the next transaction.
    pub(super) staged: Option<Folded>,
    /// Whether a fold job was handed out and has not come back.
    pub(super) folding: bool,
    /// How many jobs were removed from this store: what was folded of an earlier
    /// one is worth nothing.
    pub(super) generation: u64,
    /// Delta bytes of the last checkpoint: folding has to keep up with them.
    pub(super) last_delta_bytes: u64,
    failed: Option<String>,
    file: Option<PathBuf>,
    /// Comes last, so that the directory is free only once the database is closed.
    hold: Hold,
}

/// What lasts exactly as long as the store is open, and says so by its end.
#[derive(Default)]
struct Hold {
    /// The lock on the directory.
    lock: Option<File>,
    /// Who waits for the store to be closed.
    closed: Option<oneshot::Sender<()>>,
}

impl Store {
    /// Opens the state in `dir`, which is created if it is not there, and keeps
    /// other processes out of it.
    ///
    /// # Errors
    /// If the directory is in use, of another format, corrupt or not readable.
    pub fn open(dir: &Path, options: OpenOptions) -> Result<Self> {
        create_directory(dir).map_err(|e| failure::from_io("create", dir.to_owned(), e))?;
        let lock = lock(dir)?;
        let file = dir.join(FILE_NAME);
        let builder = |options: OpenOptions| {
            let mut builder = Builder::new();
            builder.set_cache_size(options.cache_bytes);
            builder
        };
        if !file.exists() {
            create(&builder(options), dir, &file).map_err(|error| error.at(&file))?;
        }
        let opened = builder(options).open(&file).doing("open");
        let opened = opened.and_then(|database| Self::from_database(database, options));
        let mut store = opened.map_err(|error| error.at(&file))?;
        store.file = Some(file);
        store.hold.lock = Some(lock);
        Ok(store)
    }

    /// Opens the state on a storage of the caller's making, for tests of crashes
    /// and full disks.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn with_backend(backend: impl StorageBackend, options: OpenOptions) -> Result<Self> {
        let database = Builder::new()
            .set_cache_size(options.cache_bytes)
            .create_with_backend(backend)
            .doing("open")?;
        initialise(&database)?;
        Self::from_database(database, options)
    }

    /// The job whose state this is; `None` in a new directory.
    pub fn job(&self) -> Option<&Job> {
        self.job.as_ref()
    }

    /// Tells the store the shape of an operator's state, which it needs before
    /// the first delta of the operator.
    ///
    /// # Errors
    /// If the file keeps other columns for this operator.
    pub fn register(&mut self, schema: StateSchema) -> Result<()> {
        self.usable()?;
        let operator = schema.operator;
        let known = self.read(|snapshot| {
            let table = snapshot.open_table(SCHEMAS).doing("read")?;
            let text = table.get(operator.0).doing("read")?;
            Ok(text.map(|text| text.value().to_owned()))
        })?;
        let text = schema_text(&schema);
        if let Some(known) = known
            && known != text
        {
            return Err(Error::Format(format!(
                "operator {operator} keeps the columns {text}, but its state has {known}; run the \
                 version of thalweg that wrote it, or start anew with --fresh"
            )));
        }
        self.schemas.insert(operator.0, schema);
        Ok(())
    }

    /// How large the state is.
    pub fn stats(&self) -> Stats {
        let file_bytes = self.file.as_deref().map(fs::metadata);
        Stats {
            file_bytes: file_bytes.and_then(Result::ok).map_or(0, |file| file.len()),
            ..self.units.stats()
        }
    }

    /// Bytes of the file that are in use. It walks the whole file: for tests and
    /// benchmarks.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn allocated_bytes(&mut self) -> Result<u64> {
        self.guarded(|store| {
            let transaction = store.database.begin_write().doing("read")?;
            let stats = transaction.stats().doing("read")?;
            transaction.abort().doing("read")?;
            Ok(stats.allocated_pages() * stats.page_size() as u64)
        })
    }

    /// Drops `closed` once the store is closed.
    pub(super) fn close_with(&mut self, closed: oneshot::Sender<()>) {
        self.hold.closed = Some(closed);
    }

    fn from_database(database: Database, options: OpenOptions) -> Result<Self> {
        check_format(&database)?;
        let mut store = Self {
            database,
            options,
            job: None,
            schemas: HashMap::new(),
            units: Units::new(options.fold_bytes_min),
            closed: Closings::default(),
            staged: None,
            folding: false,
            generation: 0,
            last_delta_bytes: 0,
            failed: None,
            file: None,
            hold: Hold::default(),
        };
        store.read_index()?;
        Ok(store)
    }

    /// Reads from the file what is kept of it in memory.
    pub(super) fn read_index(&mut self) -> Result<()> {
        self.job = self.read(read_job)?;
        self.closed = self.read(read_closed)?;
        self.units = self.read(|snapshot| {
            let units = Units::new(self.options.fold_bytes_min);
            read_units(snapshot, &self.closed, units)
        })?;
        Ok(())
    }

    /// Refuses if an earlier call has failed.
    pub(super) fn usable(&self) -> Result<()> {
        match &self.failed {
            None => Ok(()),
            Some(message) => Err(Error::Database {
                act: "use",
                message: format!("it has failed before: {message}"),
            }),
        }
    }

    /// Runs `act`, and refuses everything after it if it fails.
    pub(super) fn guarded<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.usable()?;
        let result = act(self).map_err(|error| match &self.file {
            Some(file) => error.at(file),
            None => error,
        });
        if let Err(error) = &result {
            self.failed = Some(error.to_string());
        }
        result
    }

    /// Reads from a snapshot of the last commit.
    pub(super) fn read<T>(&self, act: impl FnOnce(&ReadTransaction) -> Result<T>) -> Result<T> {
        self.usable()?;
        act(&self.database.begin_read().doing("read")?)
    }
}

/// The columns of a state as text: a change in it means that old rows cannot be read.
pub(super) fn schema_text(schema: &StateSchema) -> String {
    let columns: Vec<String> = schema
        .schema
        .fields()
        .iter()
        .enumerate()
        .map(|(place, field)| {
            let role = if place < schema.key_columns {
                "key "
            } else if place < schema.identity_columns {
                "id "
            } else {
                ""
            };
            let null = if field.is_nullable() { "" } else { " not null" };
            format!("{role}{}{null}", field.data_type())
        })
        .collect();
    format!("({})", columns.join(", "))
}

/// Makes a directory durable with all its parents: what is published must not
/// outlive the state that knows of it.
fn create_directory(dir: &Path) -> std::io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().unwrap_or(Path::new(""));
    create_directory(parent)?;
    fs::create_dir_all(dir)?;
    let parent = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    File::open(parent)?.sync_all()
}

fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK_NAME);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| failure::from_io("open", path.clone(), e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(dir.to_owned())),
        Err(TryLockError::Error(e)) => Err(failure::from_io("lock", path, e)),
    }
}

/// Makes a file with all tables under a passing name, then gives it the true one.
fn create(builder: &Builder, dir: &Path, file: &Path) -> Result<()> {
    let new = dir.join(NEW_FILE_NAME);
    let io = |act: &'static str, path: &Path| {
        let path = path.to_owned();
        move |e: std::io::Error| failure::from_io(act, path, e)
    };
    if new.exists() {
        fs::remove_file(&new).map_err(io("remove", &new))?;
    }
    let database = builder.create(&new).doing("create")?;
    initialise(&database)?;
    database.close().doing("create")?;
    fs::rename(&new, file).map_err(io("rename", &new))?;
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(io("sync", dir))
}

/// Makes the tables of a new database in one transaction.
fn initialise(database: &Database) -> Result<()> {
    let snapshot = database.begin_read().doing("read")?;
    if snapshot.list_tables().doing("read")?.next().is_some() {
        return Ok(());
    }
    drop(snapshot);
    let mut transaction = database.begin_write().doing("create")?;
    transaction.set_quick_repair(true);
    {
        let mut meta = transaction.open_table(META).doing("create")?;
        meta.insert(META_FORMAT, FORMAT_VERSION.to_string().as_bytes())
            .doing("create")?;
    }
    create_tables(&transaction)?;
    transaction.commit().doing("create")
}

fn check_format(database: &Database) -> Result<()> {
    let snapshot = database.begin_read().doing("read")?;
    let found = match snapshot.open_table(META) {
        Ok(meta) => meta.get(META_FORMAT).doing("read")?,
        Err(redb::TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(error).doing("read"),
    };
    let found = found
        .and_then(|text| str::from_utf8(text.value()).ok()?.parse::<u32>().ok())
        .ok_or_else(|| Error::Format(format!("{FILE_NAME} is not a state of thalweg")))?;
    if found == FORMAT_VERSION {
        return Ok(());
    }
    let newer = if found > FORMAT_VERSION {
        "newer"
    } else {
        "older"
    };
    Err(Error::Format(format!(
        "{FILE_NAME} has the {newer} format {found}, and this thalweg reads format \
         {FORMAT_VERSION}; run the version that wrote it, or start anew with --fresh"
    )))
}

fn read_job(snapshot: &ReadTransaction) -> Result<Option<Job>> {
    let meta = snapshot.open_table(META).doing("read")?;
    let Some(header) = meta.get(META_HEADER).doing("read")? else {
        return Ok(None);
    };
    let header: Header = parse("the header", header.value())?;
    let progress: Progress = match meta.get(META_PROGRESS).doing("read")? {
        Some(progress) => parse("the progress", progress.value())?,
        None => return Err(failure::missing("the job's progress")),
    };
    Ok(Some(Job { header, progress }))
}

/// Reads JSON that a commit has written.
pub(super) fn parse<'a, T: serde::Deserialize<'a>>(what: &str, json: &'a [u8]) -> Result<T> {
    serde_json::from_slice(json)
        .map_err(|error| Error::Corrupt(format!("cannot read {what} in {FILE_NAME}: {error}")))
}

/// The index of all units. Pages come before blobs, because what is due depends on both.
fn read_units(snapshot: &ReadTransaction, closed: &Closings, mut units: Units) -> Result<Units> {
    for entry in snapshot
        .open_table(PAGES)
        .doing("read")?
        .iter()
        .doing("read")?
    {
        let (key, value) = entry.doing("read")?;
        let unit = UnitKey::of_page_key(key.value())
            .ok_or_else(|| Error::Corrupt("a page has no proper key".to_owned()))?;
        units.add_page(unit, value.value().len() as u64);
    }
    for entry in snapshot
        .open_table(DELTAS)
        .doing("read")?
        .iter()
        .doing("read")?
    {
        let (key, value) = entry.doing("read")?;
        let (unit, chunk) = UnitKey::of_delta_key(key.value());
        units.add_chunk(unit, chunk, value.value().len() as u64);
    }
    for closing in closed.iter() {
        units.close(closing.operator, closing.range, closing.until);
    }
    Ok(units)
}

fn read_closed(snapshot: &ReadTransaction) -> Result<Closings> {
    let mut closed = Closings::default();
    for entry in snapshot
        .open_table(CLOSED)
        .doing("read")?
        .iter()
        .doing("read")?
    {
        let (key, until) = entry.doing("read")?;
        let (operator, start, end) = key.value();
        closed.insert(Closing {
            operator: OperatorId(operator),
            range: KeyRange { start, end },
            until: EventTime::from_millis(until.value()),
        });
    }
    Ok(closed)
}
