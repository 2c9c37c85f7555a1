//! Avro schemas: their text, and the graph of types that it declares.
//!
//! A named type may refer to itself, so types stand in a list and refer to each other
//! by place.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::TimeUnit;
use serde_json::{Map, Value};

/// The longest text that is parsed, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// The most types that one schema may declare.
const TYPES_MAX: usize = 10_000;

/// Where a type stands in its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TypeId(usize);

/// A schema: its types, and which of them its values are of.
#[derive(Clone, Debug)]
pub(in crate::formats) struct Schema {
    types: Vec<Type>,
    pub(super) root: TypeId,
}

/// One type.
#[derive(Clone, Debug)]
pub(super) enum Type {
    Null,
    Boolean,
    Int(Option<Logical>),
    Long(Option<Logical>),
    Float,
    Double,
    Bytes(Option<Logical>),
    String,
    Fixed {
        size: usize,
        logical: Option<Logical>,
    },
    Enum {
        symbols: Arc<[String]>,
    },
    Array(TypeId),
    Map(TypeId),
    Union(Vec<TypeId>),
    Record {
        fields: Vec<Field>,
    },
    /// A named type that is being declared; none is left when a schema is whole.
    Open,
}

/// A field of a record.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub name: String,
    pub aliases: Vec<String>,
    pub of: TypeId,
    pub default: Option<Value>,
}

/// What a primitive type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Logical {
    Decimal { precision: u32, scale: u32 },
    Date,
    Time(TimeUnit),
    Timestamp(TimeUnit),
    Uuid,
}

impl Schema {
    /// The schema that `text` declares; it may use the named types of `references`,
    /// each of which may use those of the ones before it.
    pub(in crate::formats) fn parse<'a>(
        text: &str,
        references: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, String> {
        let mut parser = Parser::default();
        for reference in references {
            parser.schema(reference)?;
        }
        let root = parser.schema(text)?;
        Ok(Self {
            types: parser.types,
            root,
        })
    }

    /// The type at a place.
    pub(super) fn get(&self, id: TypeId) -> &Type {
        self.types.get(id.0).unwrap_or(&Type::Null)
    }

    /// What messages call a type.
    pub(super) fn name(&self, id: TypeId) -> String {
        match self.get(id) {
            Type::Null | Type::Open => "null".to_owned(),
            Type::Boolean => "boolean".to_owned(),
            Type::Int(logical) => with_logical("int", *logical),
            Type::Long(logical) => with_logical("long", *logical),
            Type::Float => "float".to_owned(),
            Type::Double => "double".to_owned(),
            Type::Bytes(logical) => with_logical("bytes", *logical),
            Type::String => "string".to_owned(),
            Type::Fixed { logical, .. } => with_logical("fixed", *logical),
            Type::Enum { .. } => "an enum".to_owned(),
            Type::Array(_) => "an array".to_owned(),
            Type::Map(_) => "a map".to_owned(),
            Type::Record { .. } => "a record".to_owned(),
            Type::Union(branches) => {
                let names: Vec<_> = branches.iter().map(|branch| self.name(*branch)).collect();
                format!("a union of {}", names.join(", "))
            }
        }
    }
}

fn with_logical(name: &str, logical: Option<Logical>) -> String {
    match logical {
        None => name.to_owned(),
        Some(Logical::Decimal { precision, scale }) => {
            format!("{name} (decimal({precision}, {scale}))")
        }
        Some(Logical::Date) => format!("{name} (date)"),
        Some(Logical::Time(_)) => format!("{name} (time)"),
        Some(Logical::Timestamp(_)) => format!("{name} (timestamp)"),
        Some(Logical::Uuid) => format!("{name} (uuid)"),
    }
}

#[derive(Default)]
struct Parser {
    types: Vec<Type>,
    /// Named types by their full names.
    named: HashMap<String, TypeId>,
}

impl Parser {
    fn schema(&mut self, text: &str) -> Result<TypeId, String> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(format!("has {} bytes", text.len()));
        }
        // A bare name, as some registries keep it, is no JSON.
        let is_name = !text.trim_start().starts_with(['{', '[', '"']);
        let value = if is_name {
            Value::String(text.trim().to_owned())
        } else {
            serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?
        };
        self.value(&value, "")
    }

    fn add(&mut self, of: Type) -> Result<TypeId, String> {
        if self.types.len() == TYPES_MAX {
            return Err(format!("declares more than {TYPES_MAX} types"));
        }
        self.types.push(of);
        Ok(TypeId(self.types.len() - 1))
    }

    fn value(&mut self, value: &Value, namespace: &str) -> Result<TypeId, String> {
        match value {
            Value::String(name) => self.named_type(name, namespace),
            Value::Array(branches) => self.union(branches, namespace),
            Value::Object(object) => self.object(object, namespace),
            _ => Err(format!("has {value} where a type is expected")),
        }
    }

    fn named_type(&mut self, name: &str, namespace: &str) -> Result<TypeId, String> {
        if let Some(primitive) = primitive(name, None) {
            return self.add(primitive);
        }
        let full = full_name(name, namespace);
        // A name without a namespace may also be one of no namespace.
        let found = self.named.get(&full).or_else(|| self.named.get(name));
        found
            .copied()
            .ok_or_else(|| format!("refers to the type '{name}', which it does not declare"))
    }

    fn union(&mut self, branches: &[Value], namespace: &str) -> Result<TypeId, String> {
        let mut ids = Vec::with_capacity(branches.len());
        for branch in branches {
            if branch.is_array() {
                return Err("has a union directly inside a union".to_owned());
            }
            ids.push(self.value(branch, namespace)?);
        }
        self.add(Type::Union(ids))
    }

    fn object(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<TypeId, String> {
        let kind = match object.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            // `{"type": {"type": …}}` is the type inside.
            Some(inner @ (Value::Object(_) | Value::Array(_))) => {
                return self.value(inner, namespace);
            }
            _ => return Err("has a type without \"type\"".to_owned()),
        };
        let logical = logical(object)?;
        match kind {
            "record" | "error" => self.record(object, namespace),
            "enum" => {
                let symbols = strings(object, "symbols")?;
                self.declare(
                    object,
                    namespace,
                    Type::Enum {
                        symbols: symbols.into(),
                    },
                )
            }
            "fixed" => {
                let size = object.get("size").and_then(Value::as_u64);
                let size = size.and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or("has a fixed without a size")?;
                self.declare(object, namespace, Type::Fixed { size, logical })
            }
            "array" => {
                let items = object.get("items").ok_or("has an array without items")?;
                let items = self.value(items, namespace)?;
                self.add(Type::Array(items))
            }
            "map" => {
                let values = object.get("values").ok_or("has a map without values")?;
                let values = self.value(values, namespace)?;
                self.add(Type::Map(values))
            }
            name => match primitive(name, logical) {
                Some(primitive) => self.add(primitive),
                None => self.named_type(name, namespace),
            },
        }
    }

    /// Declares a named type, which then can be referred to.
    fn declare(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
        of: Type,
    ) -> Result<TypeId, String> {
        let full = declared_name(object, namespace)?;
        let id = self.add(of)?;
        match self.named.insert(full.clone(), id) {
            None => Ok(id),
            Some(_) => Err(format!("declares the type '{full}' twice")),
        }
    }

    fn record(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<TypeId, String> {
        let full = declared_name(object, namespace)?;
        let inner_namespace = full.rsplit_once('.').map_or("", |(namespace, _)| namespace);
        let id = self.declare(object, namespace, Type::Open)?;
        let declared = object.get("fields").and_then(Value::as_array);
        let declared = declared.ok_or_else(|| format!("has no fields in record '{full}'"))?;
        let mut fields: Vec<Field> = Vec::with_capacity(declared.len());
        for field in declared {
            let name = field.get("name").and_then(Value::as_str);
            let name = name.ok_or_else(|| format!("has a field without a name in '{full}'"))?;
            if fields.iter().any(|known| known.name == name) {
                return Err(format!("has the field '{name}' twice in '{full}'"));
            }
            let of = field.get("type");
            let of = of.ok_or_else(|| format!("has no type for the field '{name}'"))?;
            fields.push(Field {
                name: name.to_owned(),
                aliases: field
                    .as_object()
                    .filter(|object| object.contains_key("aliases"))
                    .map_or(Ok(Vec::new()), |object| strings(object, "aliases"))?,
                of: self.value(of, inner_namespace)?,
                default: field.get("default").cloned(),
            });
        }
        if let Some(open) = self.types.get_mut(id.0) {
            *open = Type::Record { fields };
        }
        Ok(id)
    }
}

fn primitive(name: &str, logical: Option<Logical>) -> Option<Type> {
    // A logical type that does not fit its type is no error: it is left out.
    let only = |fits: fn(Logical) -> bool| logical.filter(|logical| fits(*logical));
    let of_int = |logical| {
        matches!(
            logical,
            Logical::Date | Logical::Time(TimeUnit::Millisecond)
        )
    };
    let of_long = |logical| {
        matches!(
            logical,
            Logical::Time(TimeUnit::Microsecond) | Logical::Timestamp(_)
        )
    };
    Some(match name {
        "null" => Type::Null,
        "boolean" => Type::Boolean,
        "int" => Type::Int(only(of_int)),
        "long" => Type::Long(only(of_long)),
        "float" => Type::Float,
        "double" => Type::Double,
        "bytes" => Type::Bytes(only(|logical| matches!(logical, Logical::Decimal { .. }))),
        "string" => Type::String,
        _ => return None,
    })
}

fn logical(object: &Map<String, Value>) -> Result<Option<Logical>, String> {
    let Some(name) = object.get("logicalType").and_then(Value::as_str) else {
        return Ok(None);
    };
    let number = |key: &str| object.get(key).and_then(Value::as_u64);
    Ok(Some(match name {
        "decimal" => {
            let precision = number("precision").and_then(|number| u32::try_from(number).ok());
            let scale = u32::try_from(number("scale").unwrap_or(0)).ok();
            let (Some(precision), Some(scale)) = (precision, scale) else {
                return Err("has a decimal without a precision".to_owned());
            };
            Logical::Decimal { precision, scale }
        }
        "date" => Logical::Date,
        "time-millis" => Logical::Time(TimeUnit::Millisecond),
        "time-micros" => Logical::Time(TimeUnit::Microsecond),
        "timestamp-millis" | "local-timestamp-millis" => Logical::Timestamp(TimeUnit::Millisecond),
        "timestamp-micros" | "local-timestamp-micros" => Logical::Timestamp(TimeUnit::Microsecond),
        "timestamp-nanos" | "local-timestamp-nanos" => Logical::Timestamp(TimeUnit::Nanosecond),
        "uuid" => Logical::Uuid,
        // What is not known is read as the type below it.
        _ => return Ok(None),
    }))
}

fn declared_name(object: &Map<String, Value>, enclosing: &str) -> Result<String, String> {
    let name = object.get("name").and_then(Value::as_str);
    let name = name.ok_or("has a named type without a name")?;
    let namespace = object.get("namespace").and_then(Value::as_str);
    Ok(full_name(name, namespace.unwrap_or(enclosing)))
}

fn full_name(name: &str, namespace: &str) -> String {
    if namespace.is_empty() || name.contains('.') {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

fn strings(object: &Map<String, Value>, key: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("has no list of names as \"{key}\"");
    let values = object
        .get(key)
        .and_then(Value::as_array)
        .ok_or_else(wrong)?;
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(wrong);
    values.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root_name(text: &str) -> Result<String, String> {
        Schema::parse(text, []).map(|schema| schema.name(schema.root))
    }

    #[test]
    fn types_are_told_apart() {
        for (text, expected) in [
            (r#""int""#, Ok("int")),
            ("string", Ok("string")),
            (
                r#"{"type":"long","logicalType":"timestamp-micros"}"#,
                Ok("long (timestamp)"),
            ),
            (
                r#"{"type":{"type":"int","logicalType":"date"}}"#,
                Ok("int (date)"),
            ),
            (r#"{"type":"string","logicalType":"date"}"#, Ok("string")),
            (r#"{"type":"int","logicalType":"no-such"}"#, Ok("int")),
            (
                r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#,
                Ok("bytes (decimal(9, 2))"),
            ),
            (r#"["null","string"]"#, Ok("a union of null, string")),
            (
                r#"{"type":"record","name":"a","fields":[]}"#,
                Ok("a record"),
            ),
            (
                r#"{"type":"record","name":"a","fields":[{"name":"next","type":["null","a"]}]}"#,
                Ok("a record"),
            ),
            (
                r#"{"type":"bytes","logicalType":"decimal"}"#,
                Err("has a decimal without a precision"),
            ),
            (
                r#"{"type":"a.B"}"#,
                Err("refers to the type 'a.B', which it does not declare"),
            ),
            (r#"[["null"]]"#, Err("has a union directly inside a union")),
            (r#"{"type":"array"}"#, Err("has an array without items")),
            (
                r#"{"type":"record","name":"a"}"#,
                Err("has no fields in record 'a'"),
            ),
            (
                r#"{"type":"record","name":"a","fields":[{"name":"b","type":"int"},{"name":"b","type":"int"}]}"#,
                Err("has the field 'b' twice in 'a'"),
            ),
            (
                r#"["null",{"type":"fixed","name":"a","size":1},{"type":"fixed","name":"a","size":1}]"#,
                Err("declares the type 'a' twice"),
            ),
            (
                "7",
                Err("refers to the type '7', which it does not declare"),
            ),
            (r#"{"size":1}"#, Err("has a type without \"type\"")),
        ] {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(root_name(text), expected, "{text}");
        }
        assert!(root_name("{").unwrap_err().starts_with("is not JSON"));
        // The library's limit on nesting is also ours.
        assert!(root_name(&r#"{"type":"#.repeat(1_000)).is_err());
    }

    #[test]
    fn names_are_found_in_their_namespaces() {
        let text = r#"{"type":"record","name":"outer","namespace":"n","fields":[
            {"name":"a","type":{"type":"enum","name":"e","symbols":["X"]}},
            {"name":"b","type":"e"},
            {"name":"c","type":"n.e"},
            {"name":"d","type":{"type":"record","name":"m.inner","fields":[
                {"name":"x","type":{"type":"fixed","name":"f","size":2}},
                {"name":"y","type":"m.f"}]}},
            {"name":"e","type":"m.f"},
            {"name":"g","type":"r.other"}]}"#;
        let reference = r#"{"type":"enum","name":"other","namespace":"r","symbols":["Y"]}"#;
        let schema = Schema::parse(text, [reference]).unwrap();
        let Type::Record { fields } = schema.get(schema.root) else {
            panic!("a record was declared");
        };
        let names: Vec<_> = fields.iter().map(|field| schema.name(field.of)).collect();
        assert_eq!(
            names,
            [
                "an enum", "an enum", "an enum", "a record", "fixed", "an enum"
            ]
        );
        assert!(Schema::parse(text, []).is_err(), "r.other is not declared");
    }
}
