//! Checks whether this machine runs the code for a manifest's target.

use std::collections::BTreeSet;
use std::env::consts::{ARCH, OS};

use crate::error::{Error, ErrorKind};
use crate::json::Value;

/// Checks a manifest's `target` object: it must be a shared library with the interface of `g2p.h`, for this machine.
pub(crate) fn check(target: &Value) -> Result<(), Error> {
    let unsupported = |what: String| Err(Error::new(ErrorKind::UnsupportedTarget, what));
    let field = |name| target.get(name).and_then(Value::text).unwrap_or_default();
    let name = field("name");
    if field("package") != "shared" {
        return unsupported(format!(
            "target '{name}' gives files for an app's own tools to link: load a manifest whose target.package is \
             'shared', or link its library and take the feature `static`"
        ));
    }
    if field("engine") != "standalone" {
        return unsupported(format!(
            "target '{name}' runs on TVM's virtual machine: build it with target.engine=standalone"
        ));
    }
    let host = host_triple();
    if platform(field("triple")) != platform(&host) {
        return unsupported(format!(
            "target '{name}' is for {}, this machine is {host}",
            field("triple")
        ));
    }
    let wanted = target.get("features").and_then(Value::list).unwrap_or_default();
    let missing = missing_features(wanted.iter().filter_map(Value::text), cpu_features().as_ref());
    if !missing.is_empty() {
        return Err(Error::new(
            ErrorKind::UnsupportedCpu,
            format_args!(
                "target '{name}' is built for {}, this CPU lacks {}: build one for it",
                field("cpu"),
                missing.join(", ")
            ),
        ));
    }
    Ok(())
}

/// This machine's triple, as a compiler calls it.
pub(crate) fn host_triple() -> String {
    let libc = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    match OS {
        "linux" => format!("{ARCH}-linux-{libc}"),
        "macos" => format!("{ARCH}-apple-macosx"),
        "windows" => format!("{ARCH}-pc-windows-msvc"),
        "android" => format!("{ARCH}-linux-android"),
        other => format!("{ARCH}-{other}"),
    }
}

/// A triple in a form that can be compared: without versions and vendors, and with one of several equal names.
fn platform(triple: &str) -> Vec<String> {
    let triple = triple.to_lowercase();
    let parts = triple
        .split('-')
        .map(|part| part.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'));
    let mut known = Vec::new();
    for (place, (part, whole)) in parts.zip(triple.split('-')).enumerate() {
        known.push(match (place, part, whole) {
            (0, _, "amd64") => "x86_64".to_owned(),
            (0, _, "arm64") => "aarch64".to_owned(),
            (0, _, _) => whole.to_owned(), // digits in an architecture's name are not a version
            (_, "unknown" | "pc", _) => continue,
            (_, "darwin" | "macos", _) => "macosx".to_owned(),
            (_, _, _) => part.to_owned(),
        });
    }
    known
}

/// The features that every processor of this machine has, as Linux names them. None on other systems.
///
/// There the library itself checks them, when it is opened.
fn cpu_features() -> Option<BTreeSet<String>> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return None;
    }
    parse_cpuinfo(&String::from_utf8_lossy(&std::fs::read("/proc/cpuinfo").ok()?))
}

fn parse_cpuinfo(text: &str) -> Option<BTreeSet<String>> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let lists = lines.filter(|(name, _)| matches!(name.trim_end(), "flags" | "Features"));
    let sets = lists.map(|(_, names)| names.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>());
    sets.reduce(|all, more| &all & &more)
}

fn missing_features<'a>(wanted: impl Iterator<Item = &'a str>, found: Option<&BTreeSet<String>>) -> Vec<&'a str> {
    wanted
        .filter(|name| found.map_or(false, |found| !found.contains(*name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triples_that_mean_the_same() {
        for (one, other, same) in [
            ("x86_64-linux-gnu", "amd64-unknown-linux-gnu", true),
            ("arm64-apple-macosx11.0", "aarch64-apple-darwin20", true),
            ("x86_64-linux-gnu", "x86_64-linux-musl", false),
            ("x86_64-linux-gnu", "aarch64-linux-gnu", false),
            ("arm64-apple-ios", "arm64-apple-macosx", false),
        ] {
            assert_eq!(platform(one) == platform(other), same, "{one} {other}");
        }
    }

    #[test]
    fn what_every_processor_has_counts() {
        let found = parse_cpuinfo("processor : 0\nflags\t\t: fma avx2 pni\n\nprocessor : 1\nflags\t\t: pni avx2\n");
        assert_eq!(
            missing_features(["avx2", "fma", "abm"].into_iter(), found.as_ref()),
            ["fma", "abm"]
        );
        assert_eq!(parse_cpuinfo("nothing"), None);
        assert!(missing_features(["avx2"].into_iter(), None).is_empty());
    }
}
