//! The house rules as tests: what a reviewer would otherwise have to say again.
//!
//! Each rule is a function from text to violations, so that it can be shown a
//! violation here as well as be run over the checkout.

mod dependencies;
mod documents;
mod files;
mod layers;
mod source;
mod words;

use source::Checkout;

/// Fails with all violations at once.
fn expect_none(violations: &[String]) {
    assert!(
        violations.is_empty(),
        "{} violations:\n  {}",
        violations.len(),
        violations.join("\n  ")
    );
}

#[test]
fn imports_point_down() {
    expect_none(&Checkout::read().each_source(layers::violations));
}

#[test]
fn each_library_is_named_in_its_own_layers_only() {
    expect_none(&Checkout::read().each_source(layers::foreign_libraries));
}

#[test]
fn every_file_says_what_it_knows_and_can_be_read_in_one_sitting() {
    let checkout = Checkout::read();
    expect_none(&checkout.each_rust(files::violations));
}

#[test]
fn names_of_files_say_what_is_in_them() {
    let checkout = Checkout::read();
    let paths = checkout.rust().map(|(path, _)| path);
    expect_none(&paths.filter_map(files::bad_name).collect::<Vec<_>>());
}

#[test]
fn code_uses_the_words_of_the_glossary() {
    expect_none(&Checkout::read().each_source(words::violations));
}

#[test]
fn nothing_is_left_for_later_or_tied_to_one_machine() {
    let checkout = Checkout::read();
    let mut violations = checkout.each_rust(words::leftovers);
    violations.extend(checkout.each_source(words::unsafe_code));
    violations.extend(checkout.each_text(words::machine_paths));
    violations.extend(checkout.each_text(words::unknown_hosts));
    expect_none(&violations);
}

#[test]
fn links_in_documents_resolve() {
    let checkout = Checkout::read();
    let found = checkout.each_document(|path, text| {
        documents::broken_links(path, text, |target| checkout.has(target))
    });
    expect_none(&found);
}

#[test]
fn documents_name_only_targets_that_the_makefile_has() {
    let checkout = Checkout::read();
    let makefile = checkout.text("Makefile");
    expect_none(
        &checkout.each_document(|path, text| documents::unknown_targets(path, text, makefile)),
    );
    expect_none(&documents::targets_without_help(makefile));
}

#[test]
fn pinned_toolchain_is_the_one_that_documents_name() {
    let checkout = Checkout::read();
    let toolchain = checkout.text("rust-toolchain.toml");
    expect_none(
        &checkout.each_document(|path, text| documents::other_toolchains(path, text, toolchain)),
    );
}

#[test]
fn direct_dependencies_are_really_used() {
    let checkout = Checkout::read();
    let sources: Vec<_> = checkout.sources().map(|(_, text)| text).collect();
    expect_none(&dependencies::unused(checkout.text("Cargo.toml"), &sources));
    expect_none(&dependencies::undeclared_staples(
        checkout.text("Cargo.toml"),
    ));
}

#[test]
fn the_lock_file_has_only_what_may_enter_the_build() {
    let checkout = Checkout::read();
    let (lock, deny) = (checkout.text("Cargo.lock"), checkout.text("deny.toml"));
    expect_none(&dependencies::forbidden(lock, deny));
}
