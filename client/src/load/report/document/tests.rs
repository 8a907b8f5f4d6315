use super::*;

/// Where the committed schema is. To renew it: `UPDATE_SCHEMA=1 cargo test -p client schema`.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/load-report.schema.json");

#[test]
fn the_committed_schema_is_that_of_the_report() {
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(COMMITTED, schema()).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap();
    assert!(committed == schema(), "run UPDATE_SCHEMA=1 cargo test -p client schema");
}

#[test]
fn nothing_has_no_percentiles() {
    let empty = Distribution::from(Times::default());
    assert_eq!((empty.count, empty.min_ns, empty.p99_ns, empty.max_ns), (0, None, None, None));
}
