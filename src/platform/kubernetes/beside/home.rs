//! The first Deployment takes a template while it has no traffic, and then the traffic.
//!
//! The new one is only its image changed, so that nothing else that its owner changed meanwhile is lost.

use super::replicas::scale_home;
use super::{Next, Slot, Stage, labels, refuse, traffic};
use crate::fleet::{Side, Way};
use crate::units::Percent;
use serde_json::{Value, json};

/// What leads to this side at home, with all traffic.
pub(super) fn next(stage: &Stage<'_>, side: Side) -> Next {
    let at_home = stage.slot_side(Slot::Home);
    // What its owner put there meanwhile is not the version that is left: on the way back it stays, and gets the traffic.
    if at_home != Some(side) && !stage.owners_own() {
        if stage.second().is_none() {
            let cause = format!("the second Deployment of {} is gone", stage.home().name);
            return refuse(stage.order, &cause, "roll back, or launch anew");
        }
        if at_home.is_none() && stage.order.wish.way == Way::Forward {
            return stage.moved(" while it was dark");
        }
        return take(stage, side);
    }
    let d = stage.home();
    let complete = stage.alone(Slot::Home) && stage.sight.row.complete;
    if stage.second().is_some() && stage.share() > Percent::ZERO {
        // It has to carry what the second one carries.
        let carries = stage.ready(Slot::Next);
        if d.replicas < carries {
            return scale_home(stage, carries);
        }
        if !complete || stage.ready(Slot::Home) < carries.max(1) {
            return Next::Wait(None);
        }
        return traffic::give(stage, Percent::ZERO);
    }
    if complete { traffic::give(stage, Percent::ZERO) } else { Next::Wait(None) }
}

/// Puts a side's template into the first Deployment, which must have had no traffic for the time of a drain.
pub(super) fn take(stage: &Stage<'_>, side: Side) -> Next {
    if stage.share() != Percent::ALL || stage.ready(Slot::Next) == 0 {
        return Next::Wait(None);
    }
    if let Err(wait) = stage.drained() {
        return wait;
    }
    let (d, order) = (stage.home(), stage.order);
    if side == Side::Old {
        let Some(template) = stage.template else { return Next::Fetch };
        let mut template: Value = template.template.clone();
        labels::template(&mut template, &stage.sight.scene.keys, false);
        return stage.patch(Slot::Home, vec![json!({"op": "replace", "path": "/spec/template", "value": template})]).dark();
    }
    let Some((index, image)) = d.images.iter().enumerate().find(|(_, (c, _))| **c == *order.container).map(|(i, (_, image))| (i, image))
    else {
        return stage.moved(" while it was dark");
    };
    let container = format!("/spec/template/spec/containers/{index}");
    stage
        .patch(
            Slot::Home,
            vec![
                json!({"op": "test", "path": format!("{container}/name"), "value": order.container}),
                json!({"op": "test", "path": format!("{container}/image"), "value": &**image}),
                json!({"op": "replace", "path": format!("{container}/image"), "value": order.image}),
            ],
        )
        .dark()
}
