//! The rows of session windows, one by one, to nodes.
//!
//! Which session a row belongs to is known only when that is over. So the rows of a session are
//! collected in it as an array, and taken out again when it is told: what is done with them
//! further on is done as with those of other windows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion_common::{Column, DFSchema, Result};
use datafusion_expr::{Expr, lit};

use super::aggregates::Meaning;
use super::diagnose::refusal;
use super::grouping::check_key;
use super::lower::{
    Lowering, Role, Rows, expression, goes_by_clock, window_roles, with_window_columns,
};
use super::rewrite::call;
use super::window_function::{WINDOW_COLUMNS, WindowAssign};
use crate::expr::{AggregateCall, AggregateFunction, Expression, functions};
use crate::plan::{NodeKind, Window};

/// The rows of a session, in the dataflow only.
const ROWS: &str = "$rows";

impl Lowering {
    /// The nodes that append the bounds of its session to each row.
    ///
    /// # Errors
    /// If the sessions cannot be made.
    pub(super) fn session_rows(&mut self, assign: &WindowAssign) -> Result<Rows> {
        let Window::Session { gap_ms } = assign.window else {
            return Err(refusal("other windows are no sessions", assign.span, None));
        };
        let schema = assign.input.schema();
        for column in &assign.partition {
            check_key(column, schema)?;
        }
        let input = self.rows(&assign.input)?;
        let by_clock = goes_by_clock(&input, assign.time_index()?, assign.span)?;
        let own = Arc::clone(&input.schema);
        let (input, late) = if by_clock {
            (input, None)
        } else {
            self.with_late_rows(input)?
        };
        let whole = schema.columns().into_iter().map(Expr::Column).collect();
        let mut columns = assign.partition.clone();
        columns.push(call(functions::row(), whole));
        columns.push(assign.time.clone());
        let (input, places) = self.chosen(input, &columns, schema, late.as_ref(), true)?;
        let (keys, rest) = places.split_at(assign.partition.len());
        let [row, time, late_rows @ ..] = rest else {
            return Err(refusal("a session has rows and a time", assign.span, None));
        };
        let rows = self.sessions_as_arrays(&input, keys, *row, |aggregates| {
            NodeKind::SessionAggregate {
                keys: keys.len(),
                aggregates,
                time: *time,
                gap_ms,
                late_rows: late_rows.to_vec(),
                by_clock,
            }
        });
        if let Some(late) = &late {
            self.late_sink(rows.id, late);
        }
        let roles = window_roles(assign.window, by_clock);
        self.taken_out(rows, keys.len(), own.fields(), roles)
    }

    /// An aggregate of sessions, which collects their rows behind the keys.
    fn sessions_as_arrays(
        &mut self,
        input: &Rows,
        keys: &[usize],
        row: usize,
        node: impl FnOnce(Vec<AggregateCall>) -> NodeKind,
    ) -> Rows {
        let of_input = input.schema.fields();
        let rows = Meaning::ArrayAgg.result(of_input[row].data_type());
        let rows = Field::new(ROWS, rows.unwrap_or(DataType::Null), true);
        let collect = AggregateCall {
            function: AggregateFunction::Array,
            argument: Some(row),
            distinct: false,
            filter: None,
            result: Arc::new(rows),
        };
        let mut fields: Vec<FieldRef> = keys.iter().map(|&key| of_input[key].clone()).collect();
        fields.push(Arc::clone(&collect.result));
        let schema = with_window_columns(&Arc::new(Schema::new(fields)));
        let roles = vec![Role::Value; schema.fields().len()];
        let id = self.push(vec![input.id], node(vec![collect]), Arc::clone(&schema));
        Rows { id, schema, roles }
    }

    /// The rows, with the columns `own`, that the sessions `rows` hold in column `place`, each
    /// with the bounds of its session.
    fn taken_out(
        &mut self,
        rows: Rows,
        place: usize,
        own: &[FieldRef],
        bounds: [Role; 3],
    ) -> Result<Rows> {
        let mut fields: Vec<FieldRef> = rows.schema.fields().iter().cloned().collect();
        if let DataType::List(element) = fields[place].data_type() {
            fields[place] = Arc::new(element.as_ref().clone().with_name(ROWS));
        }
        let schema = Arc::new(Schema::new(fields));
        let kind = NodeKind::Unnest {
            column: place,
            keeps_rows: false,
        };
        let id = self.push(vec![rows.id], kind, Arc::clone(&schema));
        let names = DFSchema::try_from(Arc::clone(&schema))?;
        let row = Expr::Column(Column::new_unqualified(ROWS));
        let mut columns = Vec::with_capacity(own.len() + WINDOW_COLUMNS.len());
        for column in 0..own.len() {
            let field = call(
                functions::field(),
                vec![row.clone(), lit(format!("EXPR${column}"))],
            );
            columns.push(expression(&field, &names)?);
        }
        for bound in 0..WINDOW_COLUMNS.len() {
            columns.push(Expression::column(&schema, place + 1 + bound));
        }
        let with_bounds = with_window_columns(&Arc::new(Schema::new(own.to_vec())));
        let project = NodeKind::Project { columns };
        let id = self.push(vec![id], project, Arc::clone(&with_bounds));
        let mut roles = vec![Role::Value; own.len()];
        roles.extend(bounds);
        let schema = with_bounds;
        Ok(Rows { id, schema, roles })
    }
}
