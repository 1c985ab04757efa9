// SPDX-License-Identifier: Apache-2.0
//! What goes wrong, and what operators do, by chance.

use fastledger_consensus::{ConfChange, ConfChangeKind, Role};

use super::World;
use crate::laws::Held;
use crate::member::Member;

/// Members of a cluster at most.
const MOST_MEMBERS: usize = 7;

impl World {
    /// Some running member, by chance.
    fn somebody(&mut self) -> Option<u64> {
        let running: Vec<_> = self.members.values().filter(|member| member.node().is_some()).map(|m| m.id).collect();
        let chosen = usize::try_from(self.random.below(running.len().max(1) as u64)).unwrap_or_default();
        running.get(chosen).copied()
    }

    pub(super) fn what_may_go_wrong(&mut self) -> Held {
        if self.network.is_parted() {
            if self.chance(self.faults.heal) {
                self.say("the network is whole");
                self.network.heal();
            }
        } else if self.chance(self.faults.partition) {
            let ids = self.ids();
            self.network.part(&ids, &mut self.random);
            self.counts.partitions += u64::from(self.network.is_parted());
            self.say("the network is parted");
        }
        if self.chance(self.faults.crash)
            && let Some(id) = self.somebody()
        {
            self.crash(id, false);
        }
        if self.chance(self.faults.fuse)
            && let Some(id) = self.somebody()
        {
            let operations = self.random.below(15);
            self.members[&id].disk.light_fuse(operations);
        }
        if self.chance(self.faults.pause)
            && let Some(id) = self.somebody()
        {
            self.counts.pauses += 1;
            let until = self.now + self.random.below(4000);
            if let Some(member) = self.members.get_mut(&id) {
                member.paused_until = until;
            }
        }
        if self.chance(self.faults.full_disk)
            && let Some(id) = self.somebody()
        {
            self.counts.full_disks += 1;
            self.members[&id].disk.set_full(true);
        }
        for id in self.ids() {
            if self.chance(self.faults.restart) {
                self.members[&id].disk.set_full(false);
                self.start(id)?;
            }
        }
        self.change_members();
        Ok(())
    }

    /// Adds or removes a member, or hands leadership over.
    fn change_members(&mut self) {
        let leads = |member: &&mut Member| member.node().is_some_and(|node| node.soft_state().role == Role::Leader);
        let (change, transfer) = (self.chance(self.faults.membership), self.chance(self.faults.transfer));
        if !change && !transfer {
            return;
        }
        let choice = self.random.draw();
        let add = self.members.len() < MOST_MEMBERS * 3 && choice.is_multiple_of(2);
        let fresh = self.members.last_key_value().map_or(1, |(id, _)| id + 1);
        let Some(leader) = self.members.values_mut().find(leads) else { return };
        let id = leader.id;
        let Some(node) = leader.node_mut() else { return };
        let others: Vec<_> = node.members().into_iter().filter(|member| *member != id).collect();
        let other = others.get(usize::try_from(choice / 2).unwrap_or_default() % others.len().max(1)).copied();
        if transfer {
            if let Some(other) = other {
                node.transfer_leadership(other);
                self.counts.transfers += 1;
            }
        } else if !node.conf_change_pending() {
            let change = match other {
                _ if add && others.len() + 1 < MOST_MEMBERS => {
                    ConfChange { kind: ConfChangeKind::AddNode, member: fresh }
                }
                Some(member) => ConfChange { kind: ConfChangeKind::RemoveNode, member },
                None => return,
            };
            if node.propose_conf_change(change).is_ok() {
                self.counts.membership_changes += 1;
                self.say(format!("{id} proposes {change:?}"));
                if change.kind == ConfChangeKind::AddNode {
                    self.counts.members_added += 1;
                    self.add_member(fresh);
                    // A joiner that cannot start yet does so later.
                    let _ = self.start(fresh);
                } else {
                    self.counts.members_removed += 1;
                }
            }
        }
        self.wake(id);
    }
}
