# SPDX-License-Identifier: Apache-2.0
"""The ``common.ConfigUpdate`` that leads from one channel configuration to another.

The read set holds what the update relies on, by version; the write set what it leaves behind. An
element that changes is in the write set with the next version. A group whose members or mod_policy
change counts as changed itself, and then both sets list the members that stay, with their versions
alone; a group of which only something deeper changes lists no more than leads there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastledger.common.errors import InputError
from fastledger.protos.common.configtx_pb2 import (
    Config,
    ConfigGroup,
    ConfigPolicy,
    ConfigUpdate,
    ConfigValue,
)


@dataclass(slots=True)
class _Members:
    """What became of the groups, values or policies of a group, by name."""

    read: dict[str, Any] = field(default_factory=dict)
    write: dict[str, Any] = field(default_factory=dict)
    same: dict[str, Any] = field(default_factory=dict)
    changed: bool = False
    """Whether one was added or removed."""


def compute_update(channel_id: str, original: Config, updated: Config) -> ConfigUpdate:
    """Compute the update from one configuration to another.

    Raises:
        InputError: One lacks its channel group, or they do not differ.
    """
    for name, config in (("original", original), ("updated", updated)):
        if not config.HasField("channel_group"):
            raise InputError(f"no channel group included for {name} config")
    read, write, changed = _group(original.channel_group, updated.channel_group)
    if not changed:
        raise InputError("no differences detected between original and updated config")
    return ConfigUpdate(channel_id=channel_id, read_set=read, write_set=write)


def _group(original: ConfigGroup, updated: ConfigGroup) -> tuple[ConfigGroup, ConfigGroup, bool]:
    groups = _members(original.groups, updated.groups, _subgroup)
    values = _members(original.values, updated.values, _value)
    policies = _members(original.policies, updated.policies, _policy)
    parts = (groups, values, policies)
    if original.mod_policy == updated.mod_policy and not any(part.changed for part in parts):
        read = ConfigGroup(
            version=original.version,
            groups=groups.read,
            values=values.read,
            policies=policies.read,
        )
        write = ConfigGroup(
            version=original.version,
            groups=groups.write,
            values=values.write,
            policies=policies.write,
        )
        return read, write, any(part.read or part.write for part in parts)
    read = ConfigGroup(
        version=original.version,
        groups=groups.read | groups.same,
        values=values.read | values.same,
        policies=policies.read | policies.same,
    )
    write = ConfigGroup(
        version=original.version + 1,
        mod_policy=updated.mod_policy,
        groups=groups.write | groups.same,
        values=values.write | values.same,
        policies=policies.write | policies.same,
    )
    return read, write, True


def _members(
    original: Mapping[str, Any],
    updated: Mapping[str, Any],
    compare: Callable[[_Members, str, Any, Any], None],
) -> _Members:
    members = _Members(changed=original.keys() != updated.keys())
    for name in original.keys() & updated.keys():
        compare(members, name, original[name], updated[name])
    for name in updated.keys() - original.keys():
        compare(members, name, None, updated[name])
    return members


def _subgroup(
    members: _Members, name: str, original: ConfigGroup | None, updated: ConfigGroup
) -> None:
    read, write, changed = _group(original or ConfigGroup(), updated)
    if original is None:
        write.version = 0
        write.mod_policy = updated.mod_policy
        members.write[name] = write
    elif changed:
        members.read[name] = read
        members.write[name] = write
    else:
        members.same[name] = read


def _value(
    members: _Members, name: str, original: ConfigValue | None, updated: ConfigValue
) -> None:
    def content(one: ConfigValue) -> tuple[str, bytes]:
        return one.mod_policy, one.value

    if original is not None and content(original) == content(updated):
        members.same[name] = ConfigValue(version=original.version)
    else:
        members.write[name] = ConfigValue(
            version=original.version + 1 if original is not None else 0,
            mod_policy=updated.mod_policy,
            value=updated.value,
        )


def _policy(
    members: _Members, name: str, original: ConfigPolicy | None, updated: ConfigPolicy
) -> None:
    def content(one: ConfigPolicy) -> tuple[str, Any]:
        return one.mod_policy, one.policy if one.HasField("policy") else None

    if original is not None and content(original) == content(updated):
        members.same[name] = ConfigPolicy(version=original.version)
        return
    written = ConfigPolicy(
        version=original.version + 1 if original is not None else 0,
        mod_policy=updated.mod_policy,
    )
    if updated.HasField("policy"):
        written.policy.CopyFrom(updated.policy)
    members.write[name] = written
