//! What the engine tells of one container.
//!
//! Deliberately absent: the end and the beginning of the stream that tells it (`engine`).

use super::super::due::Heard;
use super::super::event::{Effect, Now};
use super::Watch;
use crate::decide::heal;
use crate::engine::{EngineEvent, EventKind};

impl Watch {
    pub(super) fn hear(&mut self, event: EngineEvent, now: Now, out: &mut Vec<Effect>) {
        if Heard::is_to_come(&event, now) {
            return self.look_soon(now);
        }
        if !self.heard.is_news(&event) || self.heard.is_over(&event) {
            return;
        }
        match event.kind {
            EventKind::Create
            | EventKind::Destroy
            | EventKind::Rename
            | EventKind::Update
            | EventKind::Start => {
                self.look_soon(now);
            }
            _ => {}
        }
        let Some(keep) = self.keeps.get_mut(&event.name) else { return };
        keep.touched = now.boot;
        if self.updating.contains(&event.name) {
            // The update watches it, and goes back if it does not do well: two healers would fight.
            return;
        }
        let id = event.id;
        let event = match event.kind {
            EventKind::Start => {
                if !keep.is_acting() && !keep.has_met(&id, event.at) {
                    keep.begin(now);
                }
                heal::Event::Started { id }
            }
            EventKind::Kill(signal) => heal::Event::Signalled { id, signal },
            EventKind::Die(code) => {
                let out_of_memory = keep.take_out_of_memory();
                keep.end(&event.name, &id, (code, out_of_memory), event.at, out);
                heal::Event::Exited { id, code, out_of_memory }
            }
            EventKind::Stop => heal::Event::StopNotice { id },
            EventKind::OutOfMemory => return keep.ran_out_of_memory(),
            EventKind::Health(health) => heal::Event::EngineHealth { id, health },
            EventKind::Pause => heal::Event::Paused { id },
            EventKind::Unpause => heal::Event::Unpaused { id },
            EventKind::Destroy => heal::Event::Gone { id },
            EventKind::Update => return keep.forget(),
            EventKind::Create | EventKind::Rename => return,
        };
        keep.feed(event, now, out);
    }
}
