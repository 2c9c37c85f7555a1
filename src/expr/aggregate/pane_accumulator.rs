//! What one call has of a pane: an accumulator of the library, or the values themselves.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion_expr::{AggregateUDF, EmitTo, GroupsAccumulator};
use datafusion_functions_aggregate::count::count_udaf;
use datafusion_functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion_functions_aggregate::sum::sum_udaf;
use datafusion_physical_expr::PhysicalExpr;
use datafusion_physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion_physical_expr::expressions::Column;

use super::pane_sketches::PaneSketches;
use super::pane_values::PaneValues;
use super::{AggregateCall, AggregateFunction};
use crate::expr::listed_values::ListedValues;
use crate::expr::sketch::check_hashed;
use crate::expr::{Error, Result};
use crate::formats::sql_name;

/// How one call is computed.
#[derive(Debug)]
pub(super) enum PaneFunction {
    /// By the library.
    Library(AggregateFunctionExpr),
    /// From the values that came.
    Values {
        call: AggregateCall,
        value: DataType,
        /// The library's function over the values, if it is one.
        of_values: Option<AggregateFunctionExpr>,
    },
    /// By a sketch of the values.
    Sketch,
}

impl PaneFunction {
    /// How `call` is computed over rows of `input`.
    ///
    /// # Errors
    /// If there is no accumulator for the type of its argument.
    pub fn new(call: &AggregateCall, input: &Schema) -> Result<Self> {
        let is_of_library = call.function.is_number() || call.function.is_extreme();
        if is_of_library && !call.distinct {
            return Ok(Self::Library(library_function(call, input)?));
        }
        if let (AggregateFunction::ApproximateCount, Some(column)) = (&call.function, call.argument)
        {
            check_hashed(input.field(column).data_type())?;
            return Ok(Self::Sketch);
        }
        let value = match (call.argument, &call.function) {
            (None, _) => return Err(Error(format!("{call} has no argument"))),
            (Some(_), AggregateFunction::Sum) => call.result.data_type().clone(),
            (Some(column), _) => input.field(column).data_type().clone(),
        };
        let of_values = is_of_library.then(|| library_function(call, input));
        let function = Self::Values {
            call: call.clone(),
            value,
            of_values: of_values.transpose()?,
        };
        function.accumulator()?;
        Ok(function)
    }

    /// The columns of its partial state, with names.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn state_fields(&self) -> Result<Vec<(String, DataType)>> {
        match self {
            Self::Library(function) => {
                let fields = function.state_fields()?.into_iter();
                let field = |field: Arc<Field>| (field.name().clone(), field.data_type().clone());
                Ok(fields.map(field).collect())
            }
            Self::Values { value, .. } => {
                Ok(vec![("values".to_owned(), PaneValues::state_type(value))])
            }
            Self::Sketch => Ok(vec![("sketch".to_owned(), DataType::Binary)]),
        }
    }

    /// An empty accumulator.
    ///
    /// # Errors
    /// If the library has none.
    pub fn accumulator(&self) -> Result<PaneAccumulator> {
        Ok(match self {
            Self::Library(function) => {
                PaneAccumulator::Library(function.create_groups_accumulator()?)
            }
            Self::Values {
                call,
                value,
                of_values,
            } => {
                let of_values = of_values.as_ref();
                let of_values = of_values.map(AggregateFunctionExpr::create_groups_accumulator);
                PaneAccumulator::Values {
                    values: PaneValues::new(call, value)?,
                    of_values: of_values.transpose()?,
                }
            }
            Self::Sketch => PaneAccumulator::Sketches(PaneSketches::default()),
        })
    }
}

/// What there is of one call.
pub(super) enum PaneAccumulator {
    Library(Box<dyn GroupsAccumulator>),
    Values {
        values: PaneValues,
        /// It is empty, but for the moment when a result is made.
        of_values: Option<Box<dyn GroupsAccumulator>>,
    },
    Sketches(PaneSketches),
}

impl PaneAccumulator {
    /// The bytes of memory that it holds, about.
    pub fn num_bytes(&self) -> usize {
        match self {
            Self::Library(accumulator) => accumulator.size(),
            Self::Values { values, .. } => values.num_bytes(),
            Self::Sketches(sketches) => sketches.num_bytes(),
        }
    }

    /// Takes rows in, with the group of each, of which there are `groups`.
    ///
    /// # Errors
    /// If they are not of the type of the call.
    pub fn update(
        &mut self,
        call: &AggregateCall,
        input: &RecordBatch,
        group_of_row: &[usize],
        groups: usize,
    ) -> Result<()> {
        let argument = argument_of(call, input)?;
        let filter = call.filter.map(|filter| input.column(filter).as_boolean());
        match self {
            Self::Library(accumulator) => {
                accumulator.update_batch(&[argument], group_of_row, filter, groups)?;
                Ok(())
            }
            Self::Values { values, .. } => values.update(&argument, group_of_row, filter, groups),
            Self::Sketches(sketches) => sketches.update(&argument, group_of_row, filter, groups),
        }
    }

    /// Takes the columns of partial states in.
    ///
    /// # Errors
    /// If they are not of its making.
    pub fn merge(
        &mut self,
        states: &[ArrayRef],
        group_of_row: &[usize],
        groups: usize,
    ) -> Result<()> {
        match self {
            Self::Library(accumulator) => {
                accumulator.merge_batch(states, group_of_row, groups)?;
                Ok(())
            }
            Self::Values { values, .. } => values.merge(&states[0], group_of_row, groups),
            Self::Sketches(sketches) => sketches.merge(&states[0], group_of_row, groups),
        }
    }

    /// Takes everything out as the columns of its partial states.
    ///
    /// # Errors
    /// If the library fails.
    pub fn drain_states(&mut self) -> Result<Vec<ArrayRef>> {
        match self {
            Self::Library(accumulator) => Ok(accumulator.state(EmitTo::All)?),
            Self::Values { values, .. } => Ok(vec![values.drain_states()?]),
            Self::Sketches(sketches) => Ok(vec![sketches.drain_states()]),
        }
    }

    /// Takes everything out as the results of `call`.
    ///
    /// # Errors
    /// If the library fails.
    pub fn drain_results(&mut self, call: &AggregateCall) -> Result<ArrayRef> {
        let result = call.result.data_type();
        let results = match self {
            Self::Library(accumulator) => accumulator.evaluate(EmitTo::All)?,
            Self::Values { values, of_values } => {
                let listed = values.drain()?;
                match of_values {
                    Some(accumulator) => results_of(accumulator.as_mut(), &listed)?,
                    None => return listed.result(&call.function, result),
                }
            }
            Self::Sketches(sketches) => sketches.drain_counts(),
        };
        Ok(cast(&results, result)?)
    }
}

/// What an empty accumulator makes of listed values; it is empty again.
fn results_of(accumulator: &mut dyn GroupsAccumulator, listed: &ListedValues) -> Result<ArrayRef> {
    let lengths = listed.offsets.lengths().enumerate();
    let groups: Vec<usize> = lengths
        .flat_map(|(group, length)| std::iter::repeat_n(group, length))
        .collect();
    let total = listed.offsets.len() - 1;
    // Without a filter the library takes every group for one that has a value.
    let all = BooleanArray::from(vec![true; groups.len()]);
    accumulator.update_batch(&[Arc::clone(&listed.values)], &groups, Some(&all), total)?;
    Ok(accumulator.evaluate(EmitTo::All)?)
}

/// The library's function for a call. Its argument has the type of the result,
/// except for `COUNT`, whose argument is any column.
fn library_function(call: &AggregateCall, input: &Schema) -> Result<AggregateFunctionExpr> {
    let function: Arc<AggregateUDF> = match &call.function {
        AggregateFunction::Count => count_udaf(),
        AggregateFunction::Sum => sum_udaf(),
        AggregateFunction::Min => min_udaf(),
        AggregateFunction::Max => max_udaf(),
        other => return Err(Error(format!("the library has no {other}"))),
    };
    let argument = match (&call.function, call.argument) {
        (AggregateFunction::Count, Some(column)) => input.field(column).clone(),
        (AggregateFunction::Count, None) => Field::new("*", DataType::Int64, false),
        (_, Some(column)) => Field::new(
            input.field(column).name(),
            call.result.data_type().clone(),
            true,
        ),
        (_, None) => return Err(Error(format!("{call} has no argument"))),
    };
    let name = argument.name().clone();
    let schema = Arc::new(Schema::new(vec![argument]));
    let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(&name, 0));
    let function = AggregateExprBuilder::new(function, vec![column])
        .schema(schema)
        .alias(call.result.name())
        .build()?;
    if !function.groups_accumulator_supported() {
        let data_type = sql_name(call.result.data_type());
        return Err(Error(format!(
            "{call} has no accumulator for values of type {data_type}"
        )));
    }
    Ok(function)
}

/// The argument of a call for each row, in the type that its accumulator takes.
fn argument_of(call: &AggregateCall, input: &RecordBatch) -> Result<ArrayRef> {
    let Some(column) = call.argument else {
        return Ok(Arc::new(Int64Array::from_value(1, input.num_rows())));
    };
    let argument = input.column(column);
    let wanted = call.result.data_type();
    if call.function != AggregateFunction::Sum || argument.data_type() == wanted {
        Ok(Arc::clone(argument))
    } else {
        Ok(cast(argument, wanted)?)
    }
}
