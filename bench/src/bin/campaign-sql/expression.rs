//! Values of columns, constants and functions.

use fastrand::Rng;

/// Types that expressions are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Int,
    Bigint,
    /// Of this precision and scale.
    Decimal(u8, u8),
    Double,
    Text,
    Boolean,
    Timestamp,
    /// Of texts.
    Array,
}

impl Type {
    /// As SQL has it.
    pub fn sql(self) -> String {
        match self {
            Self::Int => "INT".to_owned(),
            Self::Bigint => "BIGINT".to_owned(),
            Self::Decimal(precision, scale) => format!("DECIMAL({precision}, {scale})"),
            Self::Double => "DOUBLE".to_owned(),
            Self::Text => "STRING".to_owned(),
            Self::Boolean => "BOOLEAN".to_owned(),
            Self::Timestamp => "TIMESTAMP(3)".to_owned(),
            Self::Array => "ARRAY<STRING>".to_owned(),
        }
    }
}

/// The decimals of the tables, to which all others are cast.
const DECIMAL: Type = Type::Decimal(10, 2);

/// A named value of a row.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub data_type: Type,
}

impl Column {
    pub fn new(name: impl Into<String>, data_type: Type) -> Self {
        Self {
            name: name.into(),
            data_type,
        }
    }
}

/// The columns of the tables but for the event time.
pub fn columns() -> Vec<Column> {
    let types = [
        ("k", Type::Int),
        ("s", Type::Text),
        ("i", Type::Int),
        ("b", Type::Bigint),
        ("d", DECIMAL),
        ("f", Type::Double),
        ("y", Type::Boolean),
    ];
    types
        .map(|(name, data_type)| Column::new(name, data_type))
        .into()
}

/// One of some things.
pub fn one_of<'a, T: ?Sized>(random: &mut Rng, things: &[&'a T]) -> &'a T {
    things[random.usize(..things.len())]
}

/// Makes expressions over the columns of one relation.
pub struct Expressions<'a> {
    pub random: &'a mut Rng,
    pub columns: &'a [Column],
}

impl Expressions<'_> {
    /// A type that the relation has a column of.
    pub fn some_type(&mut self) -> Type {
        self.columns[self.random.usize(..self.columns.len())].data_type
    }

    /// A column of a type, if there is one.
    fn column(&mut self, data_type: Type) -> Option<String> {
        let fitting = self
            .columns
            .iter()
            .filter(|column| column.data_type == data_type);
        let fitting: Vec<_> = fitting.collect();
        self.random
            .choice(fitting)
            .map(|column| column.name.clone())
    }

    /// A value of a type, at most `depth` functions deep.
    pub fn of(&mut self, data_type: Type, depth: u8) -> String {
        let leaf = depth == 0 || self.random.u8(..3) == 0;
        if leaf && let Some(column) = self.column(data_type) {
            return column;
        }
        if leaf || depth == 0 {
            return self.constant(data_type);
        }
        if self.random.u8(..6) == 0 {
            return self.choice(data_type, depth - 1);
        }
        match data_type {
            Type::Int => self.int(depth - 1),
            Type::Bigint => self.bigint(depth - 1),
            Type::Double => self.double(depth - 1),
            Type::Text => self.text(depth - 1),
            Type::Boolean => self.boolean(depth - 1),
            Type::Timestamp => self.timestamp(depth - 1),
            Type::Decimal(..) => self.decimal(data_type, depth - 1),
            Type::Array => self.constant(data_type),
        }
    }

    fn constant(&mut self, data_type: Type) -> String {
        match data_type {
            Type::Int => format!("{}", self.random.i32(0..30)),
            Type::Bigint => format!("CAST({} AS BIGINT)", self.random.i32(0..3_000)),
            Type::Decimal(..) => {
                format!(
                    "CAST({}.{} AS {})",
                    self.random.u8(..90),
                    self.random.u8(..10),
                    data_type.sql()
                )
            }
            Type::Double => format!("{}.5E0", self.random.u8(..50)),
            Type::Text => format!("'{}'", one_of(self.random, &["a", "b", "x y", "", "Ö"])),
            Type::Boolean => {
                let column = &self.columns[self.random.usize(..self.columns.len())];
                match column.data_type {
                    Type::Array => format!("({} IS NOT NULL)", column.name),
                    _ => format!("({0} = {0})", column.name),
                }
            }
            Type::Timestamp => {
                format!(
                    "TIMESTAMP '2024-01-01 00:{:02}:00.000'",
                    self.random.u8(..5)
                )
            }
            Type::Array => "ARRAY['a', 'b']".to_owned(),
        }
    }

    /// Forms that every type has.
    fn choice(&mut self, data_type: Type, depth: u8) -> String {
        let first = self.of(data_type, depth);
        let second = self.of(data_type, depth);
        let condition = self.of(Type::Boolean, depth);
        match self.random.u8(..4) {
            0 => format!("CASE WHEN {condition} THEN {first} ELSE {second} END"),
            1 => format!("CASE WHEN {condition} THEN {first} END"),
            2 if data_type != Type::Array => format!("NULLIF({first}, {second})"),
            _ => format!("COALESCE({first}, {second})"),
        }
    }

    fn int(&mut self, depth: u8) -> String {
        let one = self.of(Type::Int, depth);
        match self.random.u8(..8) {
            0 => format!("({one} + {})", self.of(Type::Int, depth)),
            1 => format!("({one} - {})", self.of(Type::Int, depth)),
            2 => format!("({one} * {})", self.random.u8(2..5)),
            3 => format!("({one} / {})", self.random.u8(2..5)),
            4 => format!("MOD({one}, {})", self.random.u8(2..9)),
            5 => format!("ABS({one})"),
            6 => format!("CHAR_LENGTH({})", self.of(Type::Text, depth)),
            _ => format!("POSITION('a' IN {})", self.of(Type::Text, depth)),
        }
    }

    fn bigint(&mut self, depth: u8) -> String {
        match self.random.u8(..6) {
            0 => format!(
                "({} + {})",
                self.of(Type::Bigint, depth),
                self.of(Type::Bigint, depth)
            ),
            1 => format!(
                "({} - {})",
                self.of(Type::Bigint, depth),
                self.of(Type::Int, depth)
            ),
            2 => format!(
                "({} / {})",
                self.of(Type::Bigint, depth),
                self.random.u8(2..5)
            ),
            3 => format!(
                "MOD({}, CAST({} AS BIGINT))",
                self.of(Type::Bigint, depth),
                self.random.u8(2..99)
            ),
            4 => format!("CAST({} AS BIGINT)", self.of(Type::Int, depth)),
            _ => format!("EXTRACT(SECOND FROM {})", self.of(Type::Timestamp, depth)),
        }
    }

    fn double(&mut self, depth: u8) -> String {
        let one = self.of(Type::Double, depth);
        match self.random.u8(..5) {
            0 => format!("({one} + {})", self.of(Type::Double, depth)),
            1 => format!("({one} - {})", self.of(Type::Double, depth)),
            2 => format!("({one} * 2E0)"),
            3 => format!("FLOOR({one})"),
            _ => format!("CAST({} AS DOUBLE)", self.of(Type::Int, depth)),
        }
    }

    fn decimal(&mut self, data_type: Type, depth: u8) -> String {
        let one = self.of(data_type, depth);
        let value = match self.random.u8(..5) {
            0 => format!("{one} + {}", self.of(data_type, depth)),
            1 => format!("{one} - {}", self.of(data_type, depth)),
            2 => format!("{one} * 1.5"),
            3 => format!("ROUND({one}, 1)"),
            _ => self.of(Type::Int, depth),
        };
        format!("CAST({value} AS {})", data_type.sql())
    }

    fn text(&mut self, depth: u8) -> String {
        let one = self.of(Type::Text, depth);
        match self.random.u8(..9) {
            0 => format!("({one} || {})", self.of(Type::Text, depth)),
            1 => format!("UPPER({one})"),
            2 => format!("LOWER({one})"),
            3 => format!(
                "SUBSTRING({one}, {}, {})",
                self.random.u8(1..3),
                self.random.u8(..3)
            ),
            4 => format!("TRIM({one})"),
            5 => format!("REPLACE({one}, 'a', 'oo')"),
            6 => format!("CAST({} AS STRING)", self.of(Type::Int, depth)),
            7 => format!("CONCAT({one}, '-', {})", self.of(Type::Text, depth)),
            _ => format!("REVERSE({one})"),
        }
    }

    /// A condition.
    pub fn boolean(&mut self, depth: u8) -> String {
        let data_type = self.some_type();
        // Flink works out at once what a condition without columns comes to, and then gives
        // a row for an aggregate of no rows.
        let one = self
            .column(data_type)
            .expect("the type is that of a column");
        // Arrays cannot be compared.
        let form = match data_type {
            Type::Array => 3,
            _ => self.random.u8(..10),
        };
        match form {
            0 => format!(
                "({} AND {})",
                self.of(Type::Boolean, depth),
                self.of(Type::Boolean, depth)
            ),
            1 => format!(
                "({} OR {})",
                self.of(Type::Boolean, depth),
                self.of(Type::Boolean, depth)
            ),
            2 => format!("(NOT {})", self.of(Type::Boolean, depth)),
            3 => format!("({one} IS {}NULL)", one_of(self.random, &["", "NOT "])),
            4 => format!(
                "({one} BETWEEN {} AND {})",
                self.of(data_type, 0),
                self.of(data_type, 0)
            ),
            5 => format!(
                "({one} IN ({}, {}))",
                self.constant(data_type),
                self.constant(data_type)
            ),
            6 => format!(
                "({} LIKE '{}')",
                self.of(Type::Text, depth),
                one_of(self.random, &["a%", "%b%", "_", "%"])
            ),
            7 => format!("({one} IS DISTINCT FROM {})", self.of(data_type, depth)),
            _ => {
                let operators = ["=", "<>", "<", "<=", ">", ">="];
                let operator = one_of(self.random, &operators);
                format!("({one} {operator} {})", self.of(data_type, depth))
            }
        }
    }

    fn timestamp(&mut self, depth: u8) -> String {
        let one = self.of(Type::Timestamp, depth);
        match self.random.u8(..3) {
            0 => format!("({one} + INTERVAL '{}' SECOND)", self.random.u8(1..100)),
            1 => format!("({one} - INTERVAL '1' DAY)"),
            _ => format!("FLOOR({one} TO MINUTE)"),
        }
    }
}
