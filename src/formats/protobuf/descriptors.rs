//! What messages look like: from `.proto` text, files of it, or a compiled set of
//! descriptors. The only place that names the compiler.

use std::fs;
use std::path::Path;

use protox::Compiler;
use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};
use protox::prost_reflect::{DescriptorPool, FileDescriptor, MessageDescriptor};

/// The longest text or set that is read, in bytes.
const BYTES_MAX: usize = 4 << 20;

/// How deep braces may stand in each other: the compiler goes down with them.
const DEPTH_MAX: usize = 64;

/// Files by the names by which they import each other.
struct Texts(Vec<(String, String)>);

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.iter().find(|(known, _)| known == name) {
            Some((name, text)) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// What `text` declares, which may import `imports` by their names.
pub(in crate::formats) fn of_text<'a>(
    text: &str,
    imports: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<FileDescriptor, String> {
    const NAME: &str = "schema.proto";
    let imports = imports.into_iter();
    let mut texts: Vec<_> = imports
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    texts.push((NAME.to_owned(), text.to_owned()));
    for (_, text) in &texts {
        check_size(text.as_bytes())?;
        check_depth(text)?;
    }
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts(texts));
    resolver.add(GoogleFileResolver::new());
    compile(resolver, Path::new(NAME))
}

/// What a `.proto` file declares; it imports others from its own folder and `include`.
pub(super) fn of_file(path: &Path, include: Option<&Path>) -> Result<FileDescriptor, String> {
    let bytes = fs::read(path).map_err(|error| format!("cannot read it: {error}"))?;
    check_size(&bytes)?;
    check_depth(&String::from_utf8_lossy(&bytes))?;
    let mut resolver = ChainFileResolver::new();
    for folder in include.into_iter().chain(path.parent()) {
        resolver.add(IncludeFileResolver::new(folder.to_owned()));
    }
    resolver.add(GoogleFileResolver::new());
    let name = match include.and_then(|include| path.strip_prefix(include).ok()) {
        Some(name) => name,
        None => path.file_name().map_or(path, Path::new),
    };
    compile(resolver, name)
}

fn compile(resolver: impl FileResolver + 'static, name: &Path) -> Result<FileDescriptor, String> {
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    let opened = compiler.open_file(name);
    opened.map_err(|error| one_line(&error.to_string()))?;
    let pool = compiler.descriptor_pool();
    let file = pool.get_file_by_name(&name.to_string_lossy());
    file.ok_or_else(|| "it was compiled to nothing".to_owned())
}

/// The descriptors of a set, as `protoc --descriptor_set_out --include_imports` writes it.
pub(super) fn of_set(path: &Path) -> Result<DescriptorPool, String> {
    let bytes = fs::read(path).map_err(|error| format!("cannot read it: {error}"))?;
    check_size(&bytes)?;
    DescriptorPool::decode(bytes.as_slice()).map_err(|error| one_line(&error.to_string()))
}

/// The message with a full name, or with the only name of its kind.
pub(in crate::formats) fn message(
    pool: &DescriptorPool,
    name: &str,
) -> Result<MessageDescriptor, String> {
    if let Some(message) = pool.get_message_by_name(name) {
        return Ok(message);
    }
    let all: Vec<_> = pool
        .all_messages()
        .filter(|message| !message.is_map_entry())
        .collect();
    let is_ours =
        |message: &&MessageDescriptor| !message.full_name().starts_with("google.protobuf.");
    let names: Vec<_> = all
        .iter()
        .filter(is_ours)
        .map(MessageDescriptor::full_name)
        .collect();
    Err(format!(
        "there is no message '{name}'; there are '{}'",
        names.join("', '")
    ))
}

fn check_size(bytes: &[u8]) -> Result<(), String> {
    if bytes.len() > BYTES_MAX {
        return Err(format!("it has more than {BYTES_MAX} bytes"));
    }
    Ok(())
}

/// Braces in comments and strings count too, which does no harm: nobody has so many.
fn check_depth(text: &str) -> Result<(), String> {
    let mut depth = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'{' | b'[' | b'(' | b'<' => depth += 1,
            b'}' | b']' | b')' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(format!("it is nested more than {DEPTH_MAX} levels deep"));
        }
    }
    Ok(())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compiled() {
        let other = r#"syntax = "proto3"; package o; message Other { int32 x = 1; }"#;
        let text = r#"syntax = "proto3"; package p; import "o/other.proto";
            import "google/protobuf/timestamp.proto";
            message M { o.Other other = 1; google.protobuf.Timestamp at = 2; message In {} }"#;
        let file = of_text(text, [("o/other.proto", other)]).unwrap();
        let names: Vec<_> = file
            .messages()
            .map(|message| message.full_name().to_owned())
            .collect();
        assert_eq!(names, ["p.M"]);
        let pool = file.parent_pool();
        assert_eq!(message(pool, "p.M.In").unwrap().name(), "In");
        assert_eq!(
            message(pool, "M").unwrap_err(),
            "there is no message 'M'; there are 'o.Other', 'p.M', 'p.M.In'"
        );
        let deep = "message a {".repeat(1_000);
        for (text, expected) in [
            (text, "import 'o/other.proto' not found"),
            ("syntax = \"proto3\"; message {", "expected"),
            (&deep, "it is nested more than 64 levels deep"),
        ] {
            let error = of_text(text, []).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
