//! What documents point at: files, targets of the Makefile, the toolchain.

/// Links of a document to files that are not there.
pub fn broken_links(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found = Vec::new();
    for (line, target) in links(text) {
        let file = target.split('#').next().unwrap_or("");
        if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
            continue;
        }
        if !resolve(folder, file).is_some_and(|file| exists(&file)) {
            found.push(format!("{path}:{line}: {target} is not there"));
        }
    }
    found
}

/// Line and target of each `[text](target)` outside code blocks.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            if let Some(end) = rest.find(')') {
                found.push((number, &rest[..end]));
            }
        }
    }
    found
}

/// The lines outside fenced code blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((at + 1, line))
    })
}

/// `file` as seen from `folder`; `None` if it leaves the checkout.
fn resolve(folder: &str, file: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Targets that a document tells people to make and the Makefile lacks. Only
/// code counts: `make test`, or a line of a code block.
pub fn unknown_targets(path: &str, text: &str, makefile: &str) -> Vec<String> {
    let known: Vec<&str> = targets(makefile).map(|(name, _)| name).collect();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let spans = line.split('`').skip(1).step_by(2);
        for code in spans.chain(std::iter::once(line.trim_start())) {
            let mut words = code
                .split_whitespace()
                .skip_while(|word| word.contains('='));
            if words.next() != Some("make") {
                continue;
            }
            // A target in capitals stands for any name.
            let target = words.next().unwrap_or("");
            let is_name = target.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            let said = code.len() < line.trim_start().len() || code.split_whitespace().count() == 2;
            if is_name && said && !target.is_empty() && !known.contains(&target) {
                found.push(format!("{path}:{}: no target '{target}'", number + 1));
            }
        }
    }
    found
}

/// Targets that `make help` would not list.
pub fn targets_without_help(makefile: &str) -> Vec<String> {
    targets(makefile)
        .filter(|(_, rest)| !rest.contains("## "))
        .map(|(name, _)| format!("Makefile: target '{name}' has no '## ' that says what it does"))
        .collect()
}

/// Name and rest of the line of each target.
fn targets(makefile: &str) -> impl Iterator<Item = (&str, &str)> {
    makefile
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, rest)| !name.contains(' ') && !rest.starts_with('='))
}

/// Toolchains that a document tells people to install, other than the pinned one.
pub fn other_toolchains(path: &str, text: &str, toolchain: &str) -> Vec<String> {
    let pinned = toolchain
        .lines()
        .find_map(|line| line.strip_prefix("channel = \"")?.strip_suffix('"'))
        .expect("rust-toolchain.toml names a channel");
    text.match_indices("rustup toolchain install ")
        .filter_map(|(at, command)| text[at + command.len()..].split_whitespace().next())
        .filter(|version| *version != pinned)
        .map(|version| format!("{path}: toolchain {version}, but {pinned} is pinned"))
        .collect()
}

#[test]
fn planted_links_are_found() {
    let exists = |file: &str| ["README.md", "docs/sql.md", "docs"].contains(&file);
    let broken = |path, text| broken_links(path, text, exists).len();
    assert_eq!(
        broken(
            "README.md",
            "[a](docs/sql.md#b) [b](docs) [c](https://example.org/y)"
        ),
        0
    );
    assert_eq!(
        broken("docs/sql.md", "[a](../README.md) [b](#here) [c](sql.md)"),
        0
    );
    assert_eq!(broken("docs/sql.md", "[a](README.md)"), 1);
    assert_eq!(broken("README.md", "[a](../README.md)"), 1);
    assert_eq!(broken("README.md", "```\na[0](x)\n```\n[b](nowhere)"), 1);
}

#[test]
fn planted_targets_are_found() {
    let makefile = "A := b\n.PHONY: test\ntest: setup ## Test\n\techo\nsetup:\n";
    let unknown = |text| unknown_targets("a.md", text, makefile).len();
    assert_eq!(
        unknown("run `make test` or `X=1 make setup`, make sense"),
        0
    );
    assert_eq!(unknown("make sure that it makes sense"), 0);
    assert_eq!(unknown("`make campaign-NAME`"), 0);
    assert_eq!(unknown("run `make demo`"), 1);
    assert_eq!(unknown("```sh\nmake bench\n```"), 1);
    assert_eq!(targets_without_help(makefile).len(), 1);
}

#[test]
fn planted_toolchains_are_found() {
    let other = |text| other_toolchains("a.md", text, "[toolchain]\nchannel = \"1.2.3\"\n").len();
    assert_eq!(
        other("`rustup toolchain install 1.2.3 --profile minimal`"),
        0
    );
    assert_eq!(
        other("`rustup toolchain install 1.2.4 --profile minimal`"),
        1
    );
}
