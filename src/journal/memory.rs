//! Logs in memory, for flights that nobody wants to find again: lines and chain are the same as on disk.

use super::{Log, Recorded, Seen, Store, encode, read};
use crate::rollout::Event;
use crate::units::{Kind, Place, RolloutId, Trouble};
use std::collections::VecDeque;
use std::pin::Pin;

/// So many logs are kept; the oldest goes first.
const MOST_LOGS: usize = 32;

/// A store in memory.
#[derive(Debug, Default)]
pub struct Memory {
    logs: VecDeque<(RolloutId, Vec<u8>)>,
    open: VecDeque<(RolloutId, super::Chain, Recorded)>,
}

impl Store for Memory {
    fn list(&self) -> Result<Vec<RolloutId>, Trouble> {
        let mut all: Vec<_> = self.logs.iter().map(|(id, _)| id.clone()).collect();
        all.sort();
        Ok(all)
    }

    fn read(&self, rollout: &RolloutId) -> Result<Log, Trouble> {
        let missing = || Trouble::new(Kind::Usage, Place::named(rollout.as_str()), "there is no such log", "");
        let (_, bytes) = self.logs.iter().find(|(id, _)| id == rollout).ok_or_else(missing)?;
        read(bytes.as_slice(), rollout).map_err(|e| Trouble::new(Kind::Internal, Place::named(rollout.as_str()), e.to_string(), ""))
    }

    fn open(&mut self, rollout: &RolloutId) -> Log {
        let log = self.read(rollout).unwrap_or_else(|_| Log::empty(rollout));
        if !self.logs.iter().any(|(id, _)| id == rollout) {
            self.logs.push_back((rollout.clone(), Vec::new()));
        }
        if self.logs.len() > MOST_LOGS {
            self.logs.pop_front();
        }
        self.close(rollout);
        self.open.push_back((rollout.clone(), log.chain.clone(), Recorded { upto: log.chain.seq, off: None }));
        log
    }

    fn text(&self, rollout: &RolloutId) -> Result<Vec<u8>, Trouble> {
        self.read(rollout).map(|_| self.logs.iter().find(|(id, _)| id == rollout).map(|(_, bytes)| bytes.clone()).unwrap_or_default())
    }

    fn adopt(&mut self, rollout: &RolloutId, lines: &[u8]) {
        self.logs.retain(|(id, _)| id != rollout);
        self.logs.push_back((rollout.clone(), lines.to_vec()));
        self.open(rollout);
    }

    fn append(&mut self, rollout: &RolloutId, events: &[Event], _sync: bool) {
        let Some((_, chain, recorded)) = self.open.iter_mut().find(|(id, ..)| id == rollout) else { return };
        let Some((_, bytes)) = self.logs.iter_mut().find(|(id, _)| id == rollout) else {
            recorded.off = Some(format!("only {MOST_LOGS} logs are kept in memory"));
            return;
        };
        for event in events {
            match encode(chain, rollout, event, bytes) {
                Ok(()) => recorded.upto = event.seq,
                Err(trouble) => {
                    recorded.off = Some(trouble.cause);
                    return;
                }
            }
        }
    }

    fn recorded(&self, rollout: &RolloutId) -> Recorded {
        let open = self.open.iter().find(|(id, ..)| id == rollout);
        open.map_or_else(|| Recorded { upto: 0, off: Some("the log is not open".into()) }, |(.., recorded)| recorded.clone())
    }

    fn note(&mut self, _: &RolloutId, _: &Seen) {}

    fn seen(&self, _: &RolloutId) -> Result<Vec<Seen>, Trouble> {
        Ok(Vec::new())
    }

    fn close(&mut self, rollout: &RolloutId) {
        self.open.retain(|(id, ..)| id != rollout);
    }

    fn ready(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    fn settle(&mut self) -> bool {
        true
    }
}
