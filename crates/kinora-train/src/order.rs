//! Which records make the batch of a step: formats by weight, and within each a new shuffle for every pass.

use crate::random::{Purpose, generator};
use rand::{Rng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// A source of batches of one format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    /// How often it is chosen, relative to the others.
    pub weight: f64,
    /// Samples in its batch.
    pub batch: usize,
    /// Records it holds.
    pub records: u64,
}

/// The batch of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Index of the source.
    pub source: usize,
    /// Its records, each with the pass over the data it belongs to.
    pub records: Vec<(u64, u64)>,
}

/// The order of the data: a pure function of (seed, step), walked forward.
pub(crate) struct Order {
    seed: u64,
    sources: Vec<Source>,
    choice: ChaCha8Rng,
    /// For each source: samples taken so far, and the current pass' shuffle.
    cursors: Vec<(u64, Vec<u64>)>,
    step: u64,
}

impl Order {
    pub fn new(seed: u64, sources: Vec<Source>) -> Self {
        let cursors = sources.iter().map(|_| (0, Vec::new())).collect();
        Self {
            seed,
            sources,
            choice: generator(seed, Purpose::Order, 0),
            cursors,
            step: 0,
        }
    }

    /// The batch of `step`. Steps must not go back.
    pub fn at(&mut self, step: u64) -> Batch {
        debug_assert!(step >= self.step);
        while self.step < step {
            self.next();
        }
        self.next()
    }

    fn next(&mut self) -> Batch {
        self.step += 1;
        let total: f64 = self.sources.iter().map(|source| source.weight).sum();
        let mut ticket = self.choice.random::<f64>() * total;
        let last = self.sources.len() - 1;
        let source = (0..last)
            .find(|&i| {
                ticket -= self.sources[i].weight;
                ticket < 0.0
            })
            .unwrap_or(last);
        let Source { batch, records, .. } = self.sources[source];
        let records = (0..batch).map(|_| self.take(source, records)).collect();
        Batch { source, records }
    }

    fn take(&mut self, source: usize, records: u64) -> (u64, u64) {
        let (taken, shuffle) = &mut self.cursors[source];
        let (pass, place) = (*taken / records, *taken % records);
        if place == 0 {
            *shuffle = (0..records).collect();
            shuffle.shuffle(&mut generator(
                self.seed,
                Purpose::Order,
                1 + (pass << 8 | source as u64),
            ));
        }
        *taken += 1;
        (shuffle[place as usize], pass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_ahead_equals_walking_and_each_pass_covers_every_record() {
        let sources = vec![
            Source {
                weight: 1.0,
                batch: 3,
                records: 7,
            },
            Source {
                weight: 2.0,
                batch: 2,
                records: 5,
            },
        ];
        let mut walked = Order::new(9, sources.clone());
        let batches: Vec<_> = (0..60).map(|step| walked.at(step)).collect();
        assert_eq!(Order::new(9, sources).at(41), batches[41]);
        for (source, records) in [(0, 7), (1, 5)] {
            let mut first: Vec<_> = batches
                .iter()
                .filter(|batch| batch.source == source)
                .flat_map(|batch| &batch.records)
                .filter(|(_, pass)| *pass == 0)
                .map(|(record, _)| *record)
                .collect();
            first.sort();
            assert_eq!(first, (0..records).collect::<Vec<_>>());
        }
    }
}
