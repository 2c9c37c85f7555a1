//! Aggregates over the values of keys, where rows are only added: what `DISTINCT`, `LISTAGG` and
//! their like keep of a pane.
//!
//! The partial state is the list of a key's values in the order in which they came; states are
//! merged oldest first.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, UInt32Array, new_empty_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{and, concat, filter, is_not_null, take};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, UInt32Type};
use datafusion_expr::EmitTo;
use datafusion_physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion_physical_plan::aggregates::order::GroupOrdering;

use super::{AggregateCall, AggregateFunction};
use crate::expr::listed_values::ListedValues;
use crate::expr::{Error, Result};

/// So many values are kept whatever the number of groups, before any is given up.
const VALUES_MIN: u32 = 65_536;

/// The values of one call, by group.
pub(super) struct PaneValues {
    function: AggregateFunction,
    value: DataType,
    groups: usize,
    kept: Kept,
}

/// Which values are kept.
enum Kept {
    /// Each once, in a table of pairs of group and value.
    Set(Box<dyn GroupValues>),
    /// All of them.
    All {
        groups: Vec<u32>,
        values: Vec<ArrayRef>,
    },
    /// Of each group one: the first, or the last.
    One {
        first: bool,
        /// By group, the place of its value among `values`.
        places: Vec<Option<u32>>,
        values: Vec<ArrayRef>,
        len: u32,
    },
}

impl PaneValues {
    /// Nothing of values of type `value`.
    ///
    /// # Errors
    /// If values of that type cannot be told apart.
    pub fn new(call: &AggregateCall, value: &DataType) -> Result<Self> {
        let kept = if call.distinct {
            Kept::Set(pairs(value)?)
        } else {
            match call.function {
                AggregateFunction::First | AggregateFunction::Last => Kept::One {
                    first: call.function == AggregateFunction::First,
                    places: Vec::new(),
                    values: Vec::new(),
                    len: 0,
                },
                _ => Kept::All {
                    groups: Vec::new(),
                    values: Vec::new(),
                },
            }
        };
        Ok(Self {
            function: call.function.clone(),
            value: value.clone(),
            groups: 0,
            kept,
        })
    }

    /// The column of its partial states.
    pub fn state_type(value: &DataType) -> DataType {
        DataType::List(element(value))
    }

    /// The bytes of memory that it holds, about.
    pub fn num_bytes(&self) -> usize {
        let of_all = |values: &[ArrayRef]| -> usize {
            values.iter().map(Array::get_array_memory_size).sum()
        };
        match &self.kept {
            Kept::Set(pairs) => pairs.size(),
            Kept::All { groups, values } => of_all(values) + groups.len() * size_of::<u32>(),
            Kept::One { places, values, .. } => of_all(values) + places.len() * size_of::<u64>(),
        }
    }

    /// Takes the values of rows in, with the group of each.
    ///
    /// # Errors
    /// If the values are not of its type.
    pub fn update(
        &mut self,
        values: &ArrayRef,
        group_of_row: &[usize],
        filtered: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        let mut kept = filtered.cloned();
        if let Some(filter) = &mut kept {
            *filter = and(filter, &is_not_null(filter)?)?;
        }
        if self.function.skips_nulls() && values.null_count() > 0 {
            let there = is_not_null(values)?;
            kept = Some(match kept {
                Some(kept) => and(&kept, &there)?,
                None => there,
            });
        }
        let of_row = group_of_row.iter().map(|&group| number(group));
        let of_row = UInt32Array::from_iter_values(of_row);
        match kept {
            None => self.add(values, &of_row, groups),
            Some(kept) => {
                let of_row = filter(&of_row, &kept)?;
                self.add(&filter(values, &kept)?, of_row.as_primitive(), groups)
            }
        }
    }

    /// Takes partial states in, as [`Self::drain_states`] makes them.
    ///
    /// # Errors
    /// If they are not of its making.
    pub fn merge(&mut self, lists: &ArrayRef, group_of_row: &[usize], groups: usize) -> Result<()> {
        let lists = lists.as_list::<i32>();
        let mut of_value = Vec::with_capacity(lists.values().len());
        for (&group, length) in group_of_row.iter().zip(lists.offsets().lengths()) {
            of_value.extend(std::iter::repeat_n(number(group), length));
        }
        let first = lists.offsets()[0].cast_unsigned() as usize;
        let values = lists.values().slice(first, of_value.len());
        self.add(&values, &UInt32Array::from(of_value), groups)
    }

    fn add(&mut self, new: &ArrayRef, of_value: &UInt32Array, groups: usize) -> Result<()> {
        self.groups = groups;
        match &mut self.kept {
            Kept::Set(pairs) => {
                let of_value: ArrayRef = Arc::new(of_value.clone());
                pairs.intern(&[of_value, Arc::clone(new)], &mut Vec::new())?;
            }
            Kept::All { groups, values } => {
                groups.extend(of_value.values());
                values.push(Arc::clone(new));
            }
            Kept::One {
                first,
                places,
                values,
                len,
            } => {
                places.resize(groups, None);
                for (place, &group) in (*len..).zip(of_value.values()) {
                    let known = &mut places[group as usize];
                    if known.is_none() || !*first {
                        *known = Some(place);
                    }
                }
                *len += number(new.len());
                values.push(Arc::clone(new));
                if *len > number(places.len()).saturating_mul(2).max(VALUES_MIN) {
                    return self.forget_others();
                }
            }
        }
        Ok(())
    }

    /// Gives up the values that are nobody's first or last.
    fn forget_others(&mut self) -> Result<()> {
        let groups = self.groups;
        let (of_value, new) = self.take_pairs()?;
        if let Kept::One {
            places,
            values,
            len,
            ..
        } = &mut self.kept
        {
            places.resize(groups, None);
            for (place, &group) in (0..).zip(of_value.values()) {
                places[group as usize] = Some(place);
            }
            *len = number(new.len());
            values.push(new);
        }
        Ok(())
    }

    /// Takes everything out as partial states, one a group.
    ///
    /// # Errors
    /// If the library fails.
    pub fn drain_states(&mut self) -> Result<ArrayRef> {
        let listed = self.drain()?;
        let lists = ListArray::try_new(element(&self.value), listed.offsets, listed.values, None);
        Ok(Arc::new(lists?))
    }

    /// Takes everything out as the lists of the groups' values, each value with its group.
    ///
    /// # Errors
    /// If the library fails.
    pub fn drain(&mut self) -> Result<ListedValues> {
        let groups = std::mem::take(&mut self.groups);
        let (of_value, values) = self.take_pairs()?;
        let mut lengths = vec![0_usize; groups];
        for &group in of_value.values() {
            lengths[group as usize] += 1;
        }
        let offsets = OffsetBuffer::from_lengths(lengths);
        let mut next: Vec<i32> = offsets.iter().copied().collect();
        let mut order = vec![0_u32; of_value.len()];
        for (place, &group) in of_value.values().iter().enumerate() {
            let next = &mut next[group as usize];
            order[next.cast_unsigned() as usize] = number(place);
            *next += 1;
        }
        Ok(ListedValues {
            offsets,
            values: take(&values, &UInt32Array::from(order), None)?,
            counts: None,
        })
    }

    fn take_pairs(&mut self) -> Result<(UInt32Array, ArrayRef)> {
        match &mut self.kept {
            Kept::Set(pairs) => {
                let columns = pairs.emit(EmitTo::All)?;
                pairs.clear_shrink(0);
                let [groups, values] = <[ArrayRef; 2]>::try_from(columns)
                    .map_err(|_| Error("pairs have two columns".to_owned()))?;
                let values = arrow::compute::cast(&values, &self.value)?;
                Ok((groups.as_primitive::<UInt32Type>().clone(), values))
            }
            Kept::All { groups, values } => {
                let values = concatenated(std::mem::take(values), &self.value)?;
                Ok((UInt32Array::from(std::mem::take(groups)), values))
            }
            Kept::One {
                places,
                values,
                len,
                ..
            } => {
                *len = 0;
                let values = concatenated(std::mem::take(values), &self.value)?;
                let places = std::mem::take(places).into_iter().enumerate();
                let places = places.filter_map(|(group, place)| Some((number(group), place?)));
                let (groups, places): (Vec<u32>, Vec<u32>) = places.unzip();
                let values = take(&values, &UInt32Array::from(places), None)?;
                Ok((UInt32Array::from(groups), values))
            }
        }
    }
}

fn element(value: &DataType) -> FieldRef {
    Arc::new(Field::new("element", value.clone(), true))
}

fn pairs(value: &DataType) -> Result<Box<dyn GroupValues>> {
    let fields = vec![
        Field::new("group", DataType::UInt32, false),
        Field::new("value", value.clone(), true),
    ];
    Ok(new_group_values(
        Arc::new(Schema::new(fields)),
        &GroupOrdering::None,
    )?)
}

fn concatenated(values: Vec<ArrayRef>, data_type: &DataType) -> Result<ArrayRef> {
    if values.is_empty() {
        return Ok(new_empty_array(data_type));
    }
    let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
    Ok(concat(&values)?)
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("a pane has fewer than 2^32 values")
}
