//! Which crate may depend on which: ARCHITECTURE.md, as a table.

use std::fs;
use std::path::Path;

use anyhow::Context;
use toml::Table;

/// What a crate may depend on.
struct Rule {
    name: &'static str,
    /// The workspace's own crates it may name; any other is refused.
    may: &'static [&'static str],
    /// Beginnings of the names of foreign crates it must not name.
    never: &'static [&'static str],
}

const TENSORS: &[&str] = &["burn", "cubecl", "candle", "ndarray", "tch"];

const RULES: &[Rule] = &[
    Rule {
        name: "kinora-nn",
        may: &[],
        never: &[],
    },
    Rule {
        name: "kinora-diffusion",
        may: &["kinora-nn"],
        never: &["safetensors"],
    },
    Rule {
        name: "kinora-models",
        may: &["kinora-nn"],
        never: &[],
    },
    Rule {
        name: "kinora-stage",
        may: &[],
        never: TENSORS,
    },
    Rule {
        name: "kinora-prompt",
        may: &["kinora-stage"],
        never: TENSORS,
    },
    Rule {
        name: "kinora-media",
        may: &[],
        never: TENSORS,
    },
    Rule {
        name: "kinora-engine",
        may: &[
            "kinora-nn",
            "kinora-diffusion",
            "kinora-models",
            "kinora-media",
        ],
        never: &["clap", "indicatif", "axum"],
    },
    Rule {
        name: "kinora-train",
        may: &[
            "kinora-nn",
            "kinora-diffusion",
            "kinora-models",
            "kinora-media",
            "kinora-stage",
            "kinora-engine",
        ],
        never: &["clap", "indicatif", "axum"],
    },
    Rule {
        name: "kinora-server",
        may: &["kinora-media"],
        never: &[
            "burn",
            "cubecl",
            "candle",
            "ndarray",
            "tch",
            "clap",
            "indicatif",
        ],
    },
    Rule {
        name: "kinora",
        may: &[
            "kinora-nn",
            "kinora-diffusion",
            "kinora-models",
            "kinora-media",
            "kinora-stage",
            "kinora-engine",
            "kinora-train",
            "kinora-prompt",
            "kinora-server",
        ],
        never: &[],
    },
    Rule {
        name: "xtask",
        may: &[],
        never: TENSORS,
    },
];

/// Reads each crate's manifest and lists what breaks a rule.
pub fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut folders = vec![root.join("xtask")];
    for entry in fs::read_dir(root.join("crates"))? {
        folders.push(entry?.path());
    }
    folders.sort();

    let mut problems = Vec::new();
    for manifest in folders
        .iter()
        .map(|folder| folder.join("Cargo.toml"))
        .filter(|manifest| manifest.exists())
    {
        let text = fs::read_to_string(&manifest)?;
        let table: Table = text
            .parse()
            .with_context(|| format!("{} is not TOML", manifest.display()))?;
        problems.extend(check_manifest(&table));
    }
    Ok(problems)
}

fn check_manifest(manifest: &Table) -> Vec<String> {
    let name = manifest
        .get("package")
        .and_then(|p| p.get("name"))
        .and_then(|n| n.as_str())
        .unwrap_or_default();
    let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
        return vec![format!(
            "{name}: a new crate; say in xtask/src/directions.rs what it may and must not depend on"
        )];
    };
    let allowed = |dependency: &str| {
        let own = RULES.iter().any(|rule| rule.name == dependency);
        let foreign = !rule.never.iter().any(|never| dependency.starts_with(never));
        if own {
            rule.may.contains(&dependency)
        } else {
            foreign
        }
    };
    dependencies(manifest)
        .into_iter()
        .filter(|dependency| !allowed(dependency))
        .map(|dependency| format!("{name} must not depend on {dependency}"))
        .collect()
}

/// Names under each dependency table, also those for one target only.
fn dependencies(manifest: &Table) -> Vec<&str> {
    let targets = manifest
        .get("target")
        .and_then(|t| t.as_table())
        .into_iter()
        .flat_map(Table::values);
    let places = std::iter::once(manifest).chain(targets.filter_map(|t| t.as_table()));
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    places
        .flat_map(|place| kinds.map(|kind| place.get(kind).and_then(|d| d.as_table())))
        .flatten()
        .flat_map(|table| table.keys().map(String::as_str))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(manifest: &str) -> Vec<String> {
        check_manifest(&manifest.parse().unwrap())
    }

    #[test]
    fn a_dependency_against_the_direction_is_named() {
        let models = "package.name = \"kinora-models\"\n";
        assert_eq!(
            problems(&format!(
                "{models}[dependencies]\nkinora-nn = {{}}\nburn = {{}}"
            )),
            [""; 0]
        );
        assert_eq!(
            problems(&format!("{models}[dev-dependencies]\nkinora-engine = {{}}")),
            ["kinora-models must not depend on kinora-engine"]
        );
        assert_eq!(
            problems(
                "package.name = \"kinora-stage\"\n[target.'cfg(unix)'.dependencies]\nburn-flex = {}"
            ),
            ["kinora-stage must not depend on burn-flex"]
        );
        assert_eq!(problems("package.name = \"kinora-common\"").len(), 1);
    }
}
