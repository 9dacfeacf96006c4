//! One operation and its arguments, as JSON that is read leniently: what is missing has a default.

use std::time::Duration;

use serde_json::{Map, Value};

pub type Program = Vec<Map<String, Value>>;

pub struct Step(pub Map<String, Value>);

impl Step {
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn value(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or_default()
    }

    pub fn text(&self, name: &str) -> &str {
        self.optional_text(name).unwrap_or_default()
    }

    pub fn optional_text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(Value::as_u64)
    }

    pub fn duration(&self, name: &str) -> Option<Duration> {
        self.number(name).map(Duration::from_millis)
    }

    pub fn texts(&self, name: &str) -> Vec<String> {
        let listed = self.0.get(name).and_then(Value::as_array);
        let texts = listed.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    pub fn pairs(&self, name: &str) -> Vec<(String, String)> {
        let given = self.0.get(name).and_then(Value::as_object);
        let pairs = given.into_iter().flatten();
        pairs
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect()
    }

    pub fn program(&self, name: &str) -> Program {
        let listed = self.0.get(name).and_then(Value::as_array);
        let steps = listed.into_iter().flatten().filter_map(Value::as_object);
        steps.cloned().collect()
    }

    /// The name that a reference `{"$": name}` leads to.
    pub fn reference(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(referred)
    }
}

pub fn referred(value: &Value) -> Option<&str> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.get("$")?.as_str()
}
