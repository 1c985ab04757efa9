// SPDX-License-Identifier: Apache-2.0
//! What the core counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// A counter's name, and names and values of its labels.
type Identity = (String, Vec<(String, String)>);

/// Counters by name and labels. There are as many as the source names; no label comes from outside.
#[derive(Debug, Default)]
pub struct Counters {
    texts: Mutex<BTreeMap<String, String>>,
    values: Mutex<BTreeMap<Identity, Arc<AtomicU64>>>,
}

/// A counter's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Its name in Prometheus, without the suffix that counters get there.
    pub name: String,
    /// What it counts.
    pub text: String,
    /// Names and values of its labels.
    pub labels: Vec<(String, String)>,
    /// Its value.
    pub value: u64,
}

impl Counters {
    /// All that is counted, by name and labels.
    pub fn values(&self) -> Vec<Counted> {
        let (texts, values) = (lock(&self.texts), lock(&self.values));
        let counted = |((name, labels), value): (&Identity, &Arc<AtomicU64>)| Counted {
            name: name.clone(),
            text: texts.get(name).cloned().unwrap_or_default(),
            labels: labels.clone(),
            value: value.load(Ordering::Relaxed),
        };
        values.iter().map(counted).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The core has counters alone; whatever else it may be asked to record, it does not.
impl Recorder for Counters {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, text: SharedString) {
        lock(&self.texts).insert(name.as_str().to_owned(), text.into_owned());
    }

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels = key.labels().map(|label| (label.key().to_owned(), label.value().to_owned())).collect();
        let mut values = lock(&self.values);
        Counter::from_arc(Arc::clone(values.entry((key.name().to_owned(), labels)).or_default()))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_kept_by_name_and_labels() {
        let counters = Counters::default();
        metrics::with_local_recorder(&counters, || {
            metrics::describe_counter!("refused", "How many were refused.");
            metrics::counter!("refused", "reason" => "late").increment(0);
            for reason in ["early", "late", "late"] {
                metrics::counter!("refused", "reason" => reason).increment(1);
            }
        });
        let values = counters.values();
        let counted = values.iter().map(|one| (one.text.as_str(), one.labels[0].1.as_str(), one.value));
        let text = "How many were refused.";
        assert_eq!(counted.collect::<Vec<_>>(), [(text, "early", 1), (text, "late", 2)]);
    }
}
