//! Programs: what is selected, grouped and windowed, one relation of another.

use std::fmt::Write as _;

use fastrand::Rng;

use crate::expression::{Column, Expressions, Type, columns};
use crate::rows::COLUMNS;

/// The most relations that are made of each other.
const STEPS_MAX: u8 = 3;

/// A program over the tables `t` and `u`. If the tables come `in_order`, so do the rows
/// of each group.
pub fn program(random: &mut Rng, in_order: bool) -> String {
    let mut query = Query {
        random,
        statements: String::new(),
        names: 0,
    };
    let mut relation = query.tables(in_order);
    for _ in 0..query.random.u8(1..=STEPS_MAX) {
        relation = query.step(relation);
    }
    query.insert(&relation);
    let read = ["t", "u"].into_iter().filter(|table| query.reads(table));
    let declared = read.map(|table| {
        // Flink is to have all rows before the first window closes.
        format!(
            "CREATE TABLE {table} ({COLUMNS},\n  \
             WATERMARK FOR ts AS ts - INTERVAL '1' DAY) WITH ('connector' = 'script');\n"
        )
    });
    declared.chain([query.statements.clone()]).collect()
}

/// What is known of how rows come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Come {
    /// They may be taken back.
    Changing,
    /// They are only added.
    Added,
    /// They are added in one order, whatever happens to the job.
    InOrder,
}

/// Rows that a query can read.
struct Relation {
    /// What stands behind `FROM`.
    text: String,
    /// Whether that is a name.
    is_named: bool,
    /// Whether these are the rows of tables as they are.
    is_table: bool,
    columns: Vec<Column>,
    /// The event time, which is no column of these.
    time: Option<String>,
    come: Come,
}

impl Relation {
    /// The columns, and the event time as one.
    fn values(&self) -> Vec<Column> {
        let time = self
            .time
            .iter()
            .map(|time| Column::new(time, Type::Timestamp));
        self.columns.iter().cloned().chain(time).collect()
    }
}

struct Query<'a> {
    random: &'a mut Rng,
    statements: String,
    names: u32,
}

/// The items of a `SELECT`, and what they are called.
#[derive(Default)]
struct Selection {
    items: Vec<String>,
    columns: Vec<Column>,
}

impl Selection {
    fn add(&mut self, text: &str, column: Column) {
        self.items.push(format!("{text} AS {}", column.name));
        self.columns.push(column);
    }

    fn text(&self) -> String {
        self.items.join(", ")
    }
}

impl Query<'_> {
    fn reads(&self, table: &str) -> bool {
        ["FROM", "TABLE"].into_iter().any(|word| {
            let name = format!("{word} {table}");
            let mut uses = self.statements.split(&name).skip(1);
            uses.any(|rest| !rest.starts_with(char::is_alphanumeric))
        })
    }

    fn statement(&mut self, text: &str) {
        writeln!(self.statements, "{text};").expect("a text takes more text");
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// One table, or both.
    fn tables(&mut self, in_order: bool) -> Relation {
        let table = |text: String, is_named| Relation {
            text,
            is_named,
            is_table: true,
            columns: columns(),
            time: Some("ts".to_owned()),
            come: if in_order && is_named {
                Come::InOrder
            } else {
                Come::Added
            },
        };
        if self.random.u8(..6) > 0 {
            return table("t".to_owned(), true);
        }
        let both = table(
            "(SELECT * FROM t UNION ALL SELECT * FROM u) AS tu".to_owned(),
            false,
        );
        Relation {
            come: Come::Added,
            ..both
        }
    }

    fn step(&mut self, of: Relation) -> Relation {
        let windows = of.time.is_some() && of.come > Come::Changing;
        let made = match self.random.u8(if windows { 0 } else { 6 }..12) {
            0..=2 => self.window(of),
            3 => self.session(of),
            4..=5 => self.group_window(&of),
            6..=7 => self.select(&of),
            8 => self.distinct(&of),
            _ => self.group(&of),
        };
        if self.random.u8(..4) == 0 {
            self.named(made)
        } else {
            made
        }
    }

    /// Makes it a view, if it has no name.
    fn named(&mut self, relation: Relation) -> Relation {
        if relation.is_named {
            return relation;
        }
        let name = self.name("v");
        self.statement(&format!(
            "CREATE VIEW {name} AS SELECT * FROM {}",
            relation.text
        ));
        Relation {
            text: name,
            is_named: true,
            ..relation
        }
    }

    fn relation(&mut self, text: &str, columns: Vec<Column>) -> Relation {
        let alias = self.name("r");
        Relation {
            text: format!("(\n{text}) AS {alias}"),
            is_named: false,
            is_table: false,
            columns,
            time: None,
            come: Come::Added,
        }
    }

    /// A condition behind `WHERE`, or nothing.
    fn filter(&mut self, columns: &[Column]) -> String {
        if self.random.bool() {
            return String::new();
        }
        let random = &mut *self.random;
        format!(" WHERE {}", Expressions { random, columns }.boolean(2))
    }

    fn select(&mut self, of: &Relation) -> Relation {
        let values = of.values();
        let mut selection = Selection::default();
        for _ in 0..self.random.u8(1..6) {
            let name = self.name("c");
            let mut expressions = Expressions {
                random: self.random,
                columns: &values,
            };
            let data_type = expressions.some_type();
            let text = expressions.of(data_type, 3);
            selection.add(&text, Column::new(name, data_type));
        }
        let time = of
            .time
            .as_ref()
            .map(|time| format!(", {time}"))
            .unwrap_or_default();
        let filter = self.filter(&values);
        let text = format!("SELECT {}{time} FROM {}{filter}", selection.text(), of.text);
        Relation {
            time: of.time.clone(),
            come: of.come,
            ..self.relation(&text, selection.columns)
        }
    }

    fn distinct(&mut self, of: &Relation) -> Relation {
        let comparable = comparable(of);
        if comparable.is_empty() {
            return self.select(of);
        }
        let chosen = self.some(&comparable);
        let names: Vec<_> = chosen.iter().map(|column| column.name.clone()).collect();
        let filter = self.filter(&of.values());
        let text = format!(
            "SELECT DISTINCT {} FROM {}{filter}",
            names.join(", "),
            of.text
        );
        Relation {
            come: of.come.min(Come::Added),
            ..self.relation(&text, chosen)
        }
    }

    /// One to three of these columns.
    fn some(&mut self, columns: &[Column]) -> Vec<Column> {
        let mut chosen = columns.to_vec();
        self.random.shuffle(&mut chosen);
        chosen.truncate(self.random.usize(1..4));
        chosen
    }

    /// The keys of a group, and which of them are its values.
    fn keys(&mut self, of: &[Column], selection: &mut Selection) -> Vec<String> {
        let mut keys = Vec::new();
        for _ in 0..self.random.u8(..3) {
            let name = self.name("k");
            let mut expressions = Expressions {
                random: self.random,
                columns: of,
            };
            let data_type = expressions.some_type();
            let depth = u8::from(expressions.random.u8(..3) == 0);
            let key = expressions.of(data_type, depth);
            let is_column = of.iter().any(|column| column.name == key);
            // A key that is a constant or there already would be another test.
            if data_type != Type::Array && (is_column || depth > 0) && !keys.contains(&key) {
                selection.add(&key, Column::new(name, data_type));
                keys.push(key);
            }
        }
        keys
    }

    fn aggregates(&mut self, of: &Relation, in_order: bool, selection: &mut Selection) {
        for _ in 0..self.random.u8(1..5) {
            let name = self.name("a");
            let columns = of.values();
            let random = &mut *self.random;
            let made = Expressions {
                random,
                columns: &columns,
            }
            .aggregate(in_order);
            selection.add(&made.text, Column::new(name, made.data_type));
        }
    }

    fn having(&mut self) -> String {
        let condition = match self.random.u8(..8) {
            0 => "COUNT(*) > 2",
            1 => "COUNT(*) < 9",
            _ => return String::new(),
        };
        format!(" HAVING {condition}")
    }

    /// A group without windows: it is updated.
    fn group(&mut self, of: &Relation) -> Relation {
        let mut selection = Selection::default();
        let mut keys = self.keys(&of.values(), &mut selection);
        if keys.is_empty() && !of.is_table {
            // Of what it knows to be empty, Flink makes a row at once.
            let Some(column) = comparable(of).pop() else {
                return self.select(of);
            };
            selection.add(&column.name, Column::new(self.name("k"), column.data_type));
            keys.push(column.name);
        }
        self.aggregates(of, of.come == Come::InOrder, &mut selection);
        let by = match (keys.len(), self.random.u8(..6)) {
            (0, _) => String::new(),
            (2, 0) => format!(" GROUP BY ROLLUP ({})", keys.join(", ")),
            (2, 1) => format!(" GROUP BY CUBE ({})", keys.join(", ")),
            (2, 2) => format!(" GROUP BY GROUPING SETS (({}), ({}))", keys[0], keys[1]),
            _ => format!(" GROUP BY {}", keys.join(", ")),
        };
        let filter = match keys.len() {
            0 => String::new(),
            _ => self.filter(&of.values()),
        };
        let having = self.having();
        let text = format!(
            "SELECT {} FROM {}{filter}{by}{having}",
            selection.text(),
            of.text
        );
        Relation {
            come: Come::Changing,
            ..self.relation(&text, selection.columns)
        }
    }

    /// A window function and the aggregates of its windows.
    fn window(&mut self, of: Relation) -> Relation {
        let of = self.named(of);
        let time = of.time.as_ref().expect("windows are made of a time");
        let step = self.random.u32(1..24);
        let size = step * self.random.u32(1..5);
        let sizes = match self.random.u8(..4) {
            0 => format!(
                "TUMBLE(TABLE {}, DESCRIPTOR({time}), {}",
                of.text,
                seconds(size)
            ),
            other => format!(
                "{}(TABLE {}, DESCRIPTOR({time}), {}, {}",
                if other == 1 { "CUMULATE" } else { "HOP" },
                of.text,
                seconds(step),
                seconds(size)
            ),
        };
        let offset = if self.random.u8(..5) == 0 {
            ", INTERVAL '7' SECOND"
        } else {
            ""
        };
        // An offset of a window is shorter than it.
        let offset = if step > 7 { offset } else { "" };
        let in_order =
            of.come == Come::InOrder && !sizes.starts_with("HOP") && !sizes.starts_with("CUMULATE");
        self.windowed(&of, &format!("TABLE({sizes}{offset}))"), &[], in_order)
    }

    fn session(&mut self, of: Relation) -> Relation {
        let of = self.named(of);
        let time = of.time.clone().expect("windows are made of a time");
        let mut keys = self.some(&of.columns);
        keys.retain(|key| key.data_type != Type::Array);
        // Flink forgets the parentheses around several in a view.
        keys.truncate(self.random.usize(..2));
        let names: Vec<_> = keys.iter().map(|key| key.name.clone()).collect();
        let by = match &names[..] {
            [] => String::new(),
            names => format!(" PARTITION BY ({})", names.join(", ")),
        };
        let gap = seconds(self.random.u32(1..20));
        let function = format!(
            "TABLE(SESSION(TABLE {}{by}, DESCRIPTOR({time}), {gap}))",
            of.text
        );
        self.windowed(&of, &function, &keys, false)
    }

    /// Aggregates of windows: those of the session's keys, or of any.
    fn windowed(
        &mut self,
        of: &Relation,
        function: &str,
        keys: &[Column],
        in_order: bool,
    ) -> Relation {
        let mut selection = Selection::default();
        let is_session = function.contains("SESSION");
        let mut by = if is_session {
            for key in keys {
                let column = Column::new(self.name("k"), key.data_type);
                selection.add(&key.name, column);
            }
            keys.iter().map(|key| key.name.clone()).collect()
        } else {
            self.keys(&of.columns, &mut selection)
        };
        by.push("window_start".to_owned());
        by.push("window_end".to_owned());
        for bound in ["window_start", "window_end"] {
            selection.add(bound, Column::new(self.name("w"), Type::Timestamp));
        }
        self.aggregates(of, in_order, &mut selection);
        let time = self.random.bool().then(|| self.name("wt"));
        let mut items = selection.text();
        if let Some(name) = &time {
            write!(items, ", window_time AS {name}").expect("a text takes more text");
            by.push("window_time".to_owned());
        }
        let filter = if is_session {
            String::new()
        } else {
            self.filter(&of.values())
        };
        let having = self.having();
        let text = format!(
            "SELECT {items} FROM {function}{filter} GROUP BY {}{having}",
            by.join(", ")
        );
        Relation {
            time,
            ..self.relation(&text, selection.columns)
        }
    }

    /// A window in `GROUP BY`, as before there were window functions.
    fn group_window(&mut self, of: &Relation) -> Relation {
        let time = of.time.as_ref().expect("windows are made of a time");
        let step = self.random.u32(1..24);
        let (function, arguments) = if self.random.bool() {
            ("TUMBLE", format!("({time}, {})", seconds(step)))
        } else {
            let size = seconds(step * self.random.u32(1..5));
            ("HOP", format!("({time}, {}, {size})", seconds(step)))
        };
        let mut selection = Selection::default();
        let mut by = self.keys(&of.columns, &mut selection);
        by.push(format!("{function}{arguments}"));
        let bounds = ["START", "END"];
        for bound in bounds {
            let text = format!("{function}_{bound}{arguments}");
            selection.add(&text, Column::new(self.name("w"), Type::Timestamp));
        }
        self.aggregates(
            of,
            of.come == Come::InOrder && function == "TUMBLE",
            &mut selection,
        );
        let (filter, having) = (self.filter(&of.values()), self.having());
        let text = format!(
            "SELECT {} FROM {}{filter} GROUP BY {}{having}",
            selection.text(),
            of.text,
            by.join(", ")
        );
        self.relation(&text, selection.columns)
    }

    fn insert(&mut self, relation: &Relation) {
        let values = relation.values();
        let declared: Vec<_> = values
            .iter()
            .map(|column| format!("{} {}", column.name, column.data_type.sql()))
            .collect();
        let selected = values.iter().map(|column| match column.data_type {
            // Flink writes no more than one event time.
            Type::Timestamp => format!("CAST({} AS TIMESTAMP(3))", column.name),
            _ => column.name.clone(),
        });
        let selected: Vec<_> = selected.collect();
        self.statement(&format!(
            "CREATE TABLE sink ({})\n  WITH ('connector' = 'script')",
            declared.join(", ")
        ));
        self.statement(&format!(
            "INSERT INTO sink SELECT {} FROM {}",
            selected.join(", "),
            relation.text
        ));
    }
}

/// The columns whose values can be told apart.
fn comparable(of: &Relation) -> Vec<Column> {
    let mut columns = of.values();
    columns.retain(|column| column.data_type != Type::Array);
    columns
}

fn seconds(number: u32) -> String {
    format!("INTERVAL '{number}' SECOND")
}
