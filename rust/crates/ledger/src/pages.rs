// SPDX-License-Identifier: Apache-2.0
//! Holds an LMDB file against its own structure, and its records against their checksums, before anybody maps it.
//!
//! LMDB trusts its file: a page number that leads out of it is a bus error, a wrong offset reads or overwrites what
//! stands beside, a changed key is not found any more. So the file is read like any other first, and every page that
//! its newest commit reaches must be what LMDB would have written: known by its own number, reached once, of the right
//! kind, filled without gaps, its keys in order and between those that lead to it, all pages and records as many as
//! the trees say, and none of them also listed as free. What the records themselves say, a [`crate::store`] has sealed.
//!
//! The format is that of LMDB 0.9 (`MDB_page`, `MDB_node`, `MDB_meta`, `MDB_db` in its `mdb.c`), on this machine's
//! byte order.

use std::cmp::Ordering;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::store;

/// The file of an environment.
pub(crate) const DATA_FILE: &str = "data.mdb";

const MAGIC: u32 = 0xBEEF_C0DE;
const VERSION: u32 = 1;
const PAGE_HEADER_BYTES: usize = 16;
const NODE_HEADER_BYTES: usize = 8;
const DB_BYTES: usize = 48;
const META_BYTES: usize = 24 + 2 * DB_BYTES + 16;
/// Pages that hold the two meta records.
const META_PAGES: u64 = 2;
const NO_PAGE: u64 = u64::MAX;
/// LMDB's own limit (`CURSOR_STACK`).
const MAX_DEPTH: u16 = 32;
/// The largest page that LMDB makes (`MAX_PAGESIZE`).
const MAX_PAGE_BYTES: usize = 0x8000;

const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const OVERFLOW: u16 = 0x04;
const META: u16 = 0x08;

const BIG_DATA: u16 = 0x01;
const SUB_DATA: u16 = 0x02;

/// `MDB_INTEGERKEY`, which only the list of free pages has.
const INTEGER_KEYS: u16 = 0x08;

/// What is wrong, in words.
type Check<T> = Result<T, String>;

/// Checks the environment in `folder`, if there is one; `sealed` says by name which of its stores seal their records.
pub fn check_environment(folder: &Path, sealed: &dyn Fn(&str) -> bool) -> Check<()> {
    let file = match File::open(folder.join(DATA_FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{DATA_FILE} cannot be opened: {error}")),
    };
    let length = file.metadata().map_err(|error| format!("{DATA_FILE} cannot be read: {error}"))?.len();
    // LMDB begins an empty file anew.
    if length == 0 {
        return Ok(());
    }
    let meta = Meta::newest(&file, length)?;
    let pages = usize::try_from(meta.last_page + 1).map_err(|_| "more pages than memory can count".to_owned())?;
    // A page has a byte here rather than a bit: of a file of 1 GiB that is 256 KiB.
    let mut walk = Walk { file: &file, page_bytes: meta.page_bytes, seen: vec![0; pages] };
    walk.main(&meta.main, sealed)?;
    walk.free(&meta.free)
}

/// One of the two records of which the newer one counts.
struct Meta {
    page_bytes: usize,
    free: Tree,
    main: Tree,
    last_page: u64,
    commit: u64,
}

impl Meta {
    fn newest(file: &File, length: u64) -> Check<Self> {
        let first = Self::read(file, 0)?;
        let second = Self::read(file, first.page_bytes as u64)?;
        if first.page_bytes != second.page_bytes {
            return Err("its two meta pages differ in the size of pages".into());
        }
        let newest = if second.commit > first.commit { second } else { first };
        // Not exact, as LMDB does not write a free page at the end; but what is counted must be possible.
        if newest.last_page < META_PAGES - 1 || newest.last_page / 2 > length {
            return Err(format!("{length} bytes cannot hold {} pages", newest.last_page));
        }
        Ok(newest)
    }

    fn read(file: &File, offset: u64) -> Check<Self> {
        let mut bytes = [0; PAGE_HEADER_BYTES + META_BYTES];
        read_at(file, &mut bytes, offset)?;
        if u16_at(&bytes, 10) != META {
            return Err(format!("no meta page stands at offset {offset}"));
        }
        let meta = &bytes[PAGE_HEADER_BYTES..];
        if u32_at(meta, 0) != MAGIC || u32_at(meta, 4) != VERSION {
            return Err(format!("the meta page at offset {offset} is not LMDB's"));
        }
        let (free, main) = (Tree::read(&meta[24..]), Tree::read(&meta[24 + DB_BYTES..]));
        let page_bytes = free.pad as usize;
        if !page_bytes.is_power_of_two() || !(512..=MAX_PAGE_BYTES).contains(&page_bytes) {
            return Err(format!("the meta page at offset {offset} tells of pages of {page_bytes} bytes"));
        }
        let tail = &meta[24 + 2 * DB_BYTES..];
        Ok(Self { page_bytes, free, main, last_page: u64_at(tail, 0), commit: u64_at(tail, 8) })
    }
}

/// `MDB_db`: a tree of pages.
struct Tree {
    pad: u32,
    flags: u16,
    depth: u16,
    branch_pages: u64,
    leaf_pages: u64,
    overflow_pages: u64,
    entries: u64,
    root: u64,
}

impl Tree {
    fn read(bytes: &[u8]) -> Self {
        Self {
            pad: u32_at(bytes, 0),
            flags: u16_at(bytes, 4),
            depth: u16_at(bytes, 6),
            branch_pages: u64_at(bytes, 8),
            leaf_pages: u64_at(bytes, 16),
            overflow_pages: u64_at(bytes, 24),
            entries: u64_at(bytes, 32),
            root: u64_at(bytes, 40),
        }
    }
}

/// What a page is used for.
const IN_USE: u8 = 1;
const FREE: u8 = 2;

struct Walk<'f> {
    file: &'f File,
    page_bytes: usize,
    /// By page number.
    seen: Vec<u8>,
}

/// What was found of a tree.
#[derive(Default)]
struct Found {
    branch_pages: u64,
    leaf_pages: u64,
    overflow_pages: u64,
    entries: u64,
}

/// Which keys a page may hold: from the first on, up to and without the second.
type Bounds<'b> = (Option<&'b [u8]>, Option<&'b [u8]>);

/// A record of a leaf page.
struct Record<'r> {
    key: &'r [u8],
    value: &'r [u8],
    flags: u16,
}

/// A tree being walked.
struct Visit<'v> {
    tree: &'v Tree,
    is_free_list: bool,
    found: Found,
    each: &'v mut dyn FnMut(Record<'_>) -> Check<()>,
}

impl Walk<'_> {
    fn main(&mut self, main: &Tree, sealed: &dyn Fn(&str) -> bool) -> Check<()> {
        let mut stores = Vec::new();
        self.tree(main, false, &mut |record| {
            if record.flags & SUB_DATA == 0 || record.value.len() != DB_BYTES {
                return Err("the list of stores holds something else".into());
            }
            let name = String::from_utf8_lossy(record.key).into_owned();
            stores.push((name, Tree::read(record.value)));
            Ok(())
        })?;
        for (name, tree) in stores {
            let is_sealed = sealed(&name);
            let checked = self.tree(&tree, false, &mut |record| {
                if record.flags & SUB_DATA != 0 {
                    return Err("a record is called a store".into());
                }
                if is_sealed && store::open(record.key, record.value).is_none() {
                    return Err(format!("the record of key {} does not have its checksum", shown(record.key)));
                }
                Ok(())
            });
            checked.map_err(|what| format!("store {name}: {what}"))?;
        }
        Ok(())
    }

    /// Checks the list of free pages: a page that is in use as well would be overwritten.
    fn free(&mut self, free: &Tree) -> Check<()> {
        let mut listed = Vec::new();
        let checked = self.tree(free, true, &mut |record| {
            let count = record.value.first_chunk().map_or(0, |count| u64::from_ne_bytes(*count));
            let pages = usize::try_from(count).ok().and_then(|count| count.checked_mul(8));
            let pages = pages.and_then(|bytes| record.value.get(8..)?.get(..bytes));
            let pages = pages.ok_or("a list is longer than its record")?;
            listed.extend(pages.chunks_exact(8).map(|page| u64_at(page, 0)));
            Ok(())
        });
        checked
            .and_then(|()| listed.iter().try_for_each(|page| self.take(*page, FREE)))
            .map_err(|what| format!("free pages: {what}"))?;
        let first = usize::try_from(META_PAGES).unwrap_or(usize::MAX);
        match self.seen.iter().skip(first).position(|use_of| *use_of == 0) {
            None => Ok(()),
            Some(page) => Err(format!("page {} belongs to nothing", page + first)),
        }
    }

    fn tree(&mut self, tree: &Tree, is_free_list: bool, each: &mut dyn FnMut(Record<'_>) -> Check<()>) -> Check<()> {
        if tree.flags & !INTEGER_KEYS != 0 && !is_free_list || tree.depth > MAX_DEPTH {
            return Err("it is of a kind that is not made here".into());
        }
        let mut visit = Visit { tree, is_free_list, found: Found::default(), each };
        if tree.root != NO_PAGE {
            self.page(&mut visit, tree.root, 1, (None, None))?;
        }
        let found = visit.found;
        let stated = [tree.branch_pages, tree.leaf_pages, tree.overflow_pages, tree.entries];
        if stated != [found.branch_pages, found.leaf_pages, found.overflow_pages, found.entries] {
            return Err(format!("{} records are there instead of {}", found.entries, tree.entries));
        }
        Ok(())
    }

    /// Notes what a page is used for.
    fn take(&mut self, number: u64, use_of: u8) -> Check<()> {
        let seen = usize::try_from(number).ok().filter(|_| number >= META_PAGES);
        let seen = seen.and_then(|number| self.seen.get_mut(number));
        let seen = seen.ok_or_else(|| format!("page {number} is none of the file's"))?;
        if *seen != 0 {
            return Err(format!("page {number} is used twice"));
        }
        *seen = use_of;
        Ok(())
    }

    /// Reads `count` pages from `number` on, which must know their number and be of one kind.
    fn read(&mut self, number: u64, count: u64) -> Check<Vec<u8>> {
        for page in 0..count {
            self.take(number.saturating_add(page), IN_USE)?;
        }
        let bytes = usize::try_from(count).ok().and_then(|count| count.checked_mul(self.page_bytes));
        let mut page = vec![0; bytes.ok_or("a record is too long")?];
        read_at(self.file, &mut page, number * self.page_bytes as u64)?;
        if u64_at(&page, 0) != number {
            return Err(format!("page {number} holds another page"));
        }
        Ok(page)
    }

    fn page(&mut self, visit: &mut Visit<'_>, number: u64, level: u16, bounds: Bounds<'_>) -> Check<()> {
        let page = self.read(number, 1)?;
        let kind = if level < visit.tree.depth { BRANCH } else { LEAF };
        let nodes = nodes(&page, kind).ok_or_else(|| format!("page {number} is not laid out as one of its kind"))?;
        // LMDB gives up on a branch page that leads to one place only, but for that of free pages.
        if nodes.is_empty() || kind == BRANCH && nodes.len() < 2 && !visit.is_free_list {
            return Err(format!("page {number} is empty"));
        }
        check_order(&nodes, kind, visit.is_free_list, bounds)
            .ok_or_else(|| format!("the keys of page {number} are not in order"))?;
        if kind == LEAF {
            visit.found.leaf_pages += 1;
            return nodes.iter().try_for_each(|node| self.record(visit, node));
        }
        visit.found.branch_pages += 1;
        for (index, node) in nodes.iter().enumerate() {
            let lower = if index == 0 { bounds.0 } else { Some(node.key) };
            let upper = nodes.get(index + 1).map_or(bounds.1, |next| Some(next.key));
            self.page(visit, node.page(), level + 1, (lower, upper))?;
        }
        Ok(())
    }

    fn record(&mut self, visit: &mut Visit<'_>, node: &Node<'_>) -> Check<()> {
        visit.found.entries += 1;
        if node.flags & BIG_DATA == 0 {
            return (visit.each)(Record { key: node.key, value: node.rest, flags: node.flags });
        }
        let number = u64_at(node.rest, 0);
        let mut header = [0; PAGE_HEADER_BYTES];
        read_at(self.file, &mut header, number.saturating_mul(self.page_bytes as u64))?;
        let pages = u64::from(u32_at(&header, 12));
        let needed = (PAGE_HEADER_BYTES - 1 + node.value_bytes) / self.page_bytes + 1;
        if u16_at(&header, 10) != OVERFLOW || pages < needed as u64 || pages > self.seen.len() as u64 {
            return Err(format!("page {number} is not the beginning of a long record"));
        }
        visit.found.overflow_pages += pages;
        let bytes = self.read(number, pages)?;
        let value = &bytes[PAGE_HEADER_BYTES..PAGE_HEADER_BYTES + node.value_bytes];
        (visit.each)(Record { key: node.key, value, flags: node.flags })
    }
}

/// `MDB_node`.
struct Node<'p> {
    key: &'p [u8],
    /// What stands behind the key: the value, or the number of its page.
    rest: &'p [u8],
    flags: u16,
    value_bytes: usize,
    low: u64,
}

impl Node<'_> {
    /// The page that a node of a branch leads to.
    fn page(&self) -> u64 {
        self.low | u64::from(self.flags) << 32
    }
}

/// The nodes of a page in their order; `None` if they do not fill it as LMDB fills it.
fn nodes(page: &[u8], kind: u16) -> Option<Vec<Node<'_>>> {
    let (lower, upper) = (usize::from(u16_at(page, 12)), usize::from(u16_at(page, 14)));
    let is_sound = u16_at(page, 10) == kind && lower >= PAGE_HEADER_BYTES && lower % 2 == 0;
    if !is_sound || lower > upper || upper > page.len() {
        return None;
    }
    let mut nodes = Vec::with_capacity((lower - PAGE_HEADER_BYTES) / 2);
    let mut filled = 0;
    for slot in (PAGE_HEADER_BYTES..lower).step_by(2) {
        let start = usize::from(u16_at(page, slot));
        if start < upper || start % 2 != 0 {
            return None;
        }
        let header = page.get(start..start + NODE_HEADER_BYTES)?;
        let low = u64::from(u32_at(header, 0));
        let (flags, key_bytes) = (u16_at(header, 4), usize::from(u16_at(header, 6)));
        let value_bytes = usize::try_from(low).ok()?;
        let rest_bytes = match kind {
            BRANCH => 0,
            _ if flags & !(BIG_DATA | SUB_DATA) != 0 => return None,
            _ if flags & BIG_DATA != 0 => size_of::<u64>(),
            _ => value_bytes,
        };
        let body = page.get(start + NODE_HEADER_BYTES..)?.get(..key_bytes.checked_add(rest_bytes)?)?;
        let (key, rest) = body.split_at(key_bytes);
        filled += (NODE_HEADER_BYTES + body.len()).next_multiple_of(2);
        nodes.push(Node { key, rest, flags, value_bytes, low });
    }
    (filled == page.len() - upper).then_some(nodes)
}

/// Whether keys ascend within their bounds. The first key of a branch stands for all that is less.
fn check_order(nodes: &[Node<'_>], kind: u16, integers: bool, (lower, upper): Bounds<'_>) -> Option<()> {
    let compare = |a: &[u8], b: &[u8]| match (integers, a.first_chunk(), b.first_chunk()) {
        (true, Some(a), Some(b)) => u64::from_ne_bytes(*a).cmp(&u64::from_ne_bytes(*b)),
        _ => a.cmp(b),
    };
    let keys = if kind == BRANCH { nodes.get(1..)? } else { nodes };
    let mut before = lower;
    for (index, node) in keys.iter().enumerate() {
        let order = before.map_or(Ordering::Less, |before| compare(before, node.key));
        let is_first_of_leaf = index == 0 && kind == LEAF;
        if order == Ordering::Greater || order == Ordering::Equal && !is_first_of_leaf {
            return None;
        }
        before = Some(node.key);
    }
    let last = keys.last().map(|node| node.key);
    let is_below = last.zip(upper).is_none_or(|(last, upper)| compare(last, upper) == Ordering::Less);
    is_below.then_some(())
}

fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> Check<()> {
    file.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => {
            format!("it ends before offset {}", offset.saturating_add(buffer.len() as u64))
        }
        _ => format!("it cannot be read at offset {offset}: {error}"),
    })
}

/// The beginning of a key, for a message.
fn shown(key: &[u8]) -> String {
    const SHOWN_BYTES: usize = 64;
    key[..key.len().min(SHOWN_BYTES)].escape_ascii().to_string()
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u16::from_ne_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u64::from_ne_bytes(*bytes))
}
