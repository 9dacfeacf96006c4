//! The world outside the journal: effects that are counted, and gates that hold a handler up.
//!
//! Both are files, so a killed endpoint forgets nothing and the tests can read and open them.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

/// A file has no event to wait for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The name that Python's `urllib.parse.quote(tag, safe="")` gives, so that all languages agree.
fn file(kind: &str, tag: &str) -> PathBuf {
    let folder = std::env::var_os("CONFORMANCE_OUTSIDE").expect("CONFORMANCE_OUTSIDE is set");
    let mut name = String::new();
    for byte in tag.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) {
            name.push(byte.into());
        } else {
            write!(name, "%{byte:02X}").expect("a string takes everything");
        }
    }
    PathBuf::from(folder).join(kind).join(name)
}

/// Append one line under `tag`; the answer counts the lines, this one included.
pub fn effect(tag: &str, text: &str) -> io::Result<u64> {
    let path = file("effects", tag);
    let mut lines = OpenOptions::new().append(true).create(true).open(&path)?;
    lines.write_all(format!("{}\n", text.replace('\n', " ")).as_bytes())?;
    Ok(fs::read_to_string(path)?.lines().count() as u64)
}

/// Hold this handler up, with nothing journaled, until the test opens the gate.
pub async fn gate(name: &str) {
    let path = file("gates", name);
    while !path.exists() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
