//! Taking an item or an entry out of a text: its lines, or its bytes and a comma. Comments stay, on lines of their own
//! if need be.
//!
//! Deliberately absent: deciding what goes.

use std::ops::Range;

use crate::yaml::outline::{Form, Id, Part, Role};

use super::Why;
use super::edit::{Edit, Page, may_vanish};

/// The edits that take out an item, or the entry of a key or of a value.
pub(super) fn part(page: Page<'_>, id: Id) -> Result<Vec<Edit>, Why> {
    let target = page.part(id)?;
    let id = match target.role {
        Role::Root => return Err(Why::Shape),
        Role::Item | Role::Key => id,
        Role::Value(key) => key,
    };
    let target = page.part(id)?;
    let around = page.part(target.parent.ok_or(Why::Shape)?)?;
    let bytes = whole(page, id, target)?;
    let members = if around.form.is_map() { around.children.len() / 2 } else { around.children.len() };
    if members == 1 {
        if let Some(key) = may_vanish(page, around) {
            return part(page, key);
        }
        return empty(page, around, bytes);
    }
    if around.form.is_flow() { in_flow(page, around, id, bytes) } else { lines(page, around, id, bytes) }
}

/// The bytes of an item, or of a key with its value.
fn whole(page: Page<'_>, id: Id, target: &Part) -> Result<Range<usize>, Why> {
    let end = match target.role {
        Role::Key => page.part(page.outline.value_of(id).ok_or(Why::Shape)?)?.end(),
        _ => target.end(),
    };
    Ok(target.start()..end.max(target.end()))
}

/// The last of a collection goes, and an empty one stays: something may refer to it.
fn empty(page: Page<'_>, around: &Part, bytes: Range<usize>) -> Result<Vec<Edit>, Why> {
    if around.form.is_flow() {
        return if comments(page, around.body + 1..around.end()).is_empty() {
            Ok(vec![Edit::new(around.body + 1..around.end() - 1, "")])
        } else {
            Err(Why::Shape)
        };
    }
    let none = if around.form == Form::BlockMap { "{}" } else { "[]" };
    let Role::Value(key) = around.role else { return Err(Why::Shape) };
    let key = page.part(key)?;
    // After the colon, the anchor and the tag; a comment may follow there.
    let colon = page.slice(key.end()..around.body).find(':').ok_or(Why::Shape)? + key.end() + 1;
    let lead = if around.start() < around.body {
        around.start() + page.slice(around.start()..around.body).trim_end().len()
    } else {
        colon
    };
    let (lines, kept) = line_range(page, around, bytes)?;
    Ok(vec![Edit::new(lead..lead, format!(" {none}")), Edit::new(lines, kept)])
}

/// Whole lines of a block collection.
fn lines(page: Page<'_>, around: &Part, id: Id, bytes: Range<usize>) -> Result<Vec<Edit>, Why> {
    let start = page.line_start(bytes.start);
    let before = page.slice(start..bytes.start).trim_start_matches('\u{feff}');
    // The first key after a dash: the next one takes its place.
    if around.form == Form::BlockMap && !before.trim().is_empty() {
        let at = around.children.iter().position(|child| *child == id).ok_or(Why::Shape)?;
        let next = page.part(*around.children.get(at + 2).ok_or(Why::Shape)?)?;
        return if page.slice(bytes.end..next.start()).trim().is_empty() {
            Ok(vec![Edit::new(bytes.start..next.start(), "")])
        } else {
            Err(Why::Shape)
        };
    }
    let (lines, kept) = line_range(page, around, bytes)?;
    Ok(vec![Edit::new(lines, kept)])
}

/// The lines that a member of a block collection stands on, and the comments of those lines.
fn line_range(page: Page<'_>, around: &Part, bytes: Range<usize>) -> Result<(Range<usize>, String), Why> {
    let mut start = bytes.start;
    if around.form == Form::BlockList {
        let before = page.slice(0..start).trim_end();
        start = before.strip_suffix('-').ok_or(Why::Shape)?.len();
    }
    let first = page.line_start(start);
    let end = page.line_end(bytes.end);
    let rest = page.slice(bytes.end..end);
    let alone = page.slice(first..start).trim_start_matches('\u{feff}').trim().is_empty();
    let comment =
        rest.trim().is_empty() || rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#');
    if !alone || !comment {
        return Err(Why::Shape);
    }
    let (indent, newline) = (page.slice(first..start), page.newline());
    let indent = indent.trim_start_matches('\u{feff}');
    let kept = comments(page, start..end);
    let kept = kept.iter().fold(String::new(), |out, comment| format!("{out}{indent}{comment}{newline}"));
    // A mark at the beginning of the file is no part of the line.
    let first = if page.slice(first..start).starts_with('\u{feff}') { first + 3 } else { first };
    Ok((first..end, kept))
}

/// The comments between the parts of a range, each as it is written.
fn comments(page: Page<'_>, bytes: Range<usize>) -> Vec<String> {
    let leaves = page.outline.parts.iter().filter(|part| part.children.is_empty());
    let mut leaves: Vec<Range<usize>> = leaves.map(|part| part.start()..part.end()).collect();
    leaves.retain(|leaf| leaf.start < bytes.end && leaf.end > bytes.start && !leaf.is_empty());
    leaves.sort_by_key(|leaf| leaf.start);
    let mut found = Vec::new();
    let mut at = bytes.start;
    for gap_end in leaves.iter().map(|leaf| (leaf.start, leaf.end)).chain([(bytes.end, bytes.end)]) {
        let gap = page.slice(at..gap_end.0.max(at));
        found.extend(gap.lines().filter_map(|line| {
            let mark = line.find('#').filter(|mark| {
                *mark == 0 || line.get(..*mark).is_some_and(|before| before.ends_with([' ', '\t']))
            })?;
            Some(line.get(mark..)?.trim_end().to_owned())
        }));
        at = at.max(gap_end.1);
    }
    found
}

/// The bytes of a member in brackets or braces, and one comma.
fn in_flow(page: Page<'_>, around: &Part, id: Id, bytes: Range<usize>) -> Result<Vec<Edit>, Why> {
    let after = page.slice(bytes.end..around.end());
    let blank = after.len() - after.trim_start_matches([' ', '\t']).len();
    let edit = if after.get(blank..).is_some_and(|rest| rest.starts_with(',')) {
        let rest = after.get(blank + 1..).unwrap_or_default();
        let gap = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let starts = page.slice(page.line_start(bytes.start)..bytes.start).trim().is_empty();
        let next_is_here = starts || !rest.trim_start_matches([' ', '\t']).starts_with(['\n', '\r', '#']);
        let end = bytes.end + blank + 1 + if next_is_here { gap } else { 0 };
        bytes.start..end
    } else {
        // The last: the comma before it goes, if nothing but blanks is between them.
        let at = around.children.iter().position(|child| *child == id).ok_or(Why::Shape)?;
        let before = around.children.get(at.checked_sub(1).ok_or(Why::Shape)?).ok_or(Why::Shape)?;
        let before = page.part(*before)?.end();
        if page.slice(before..bytes.start).trim() != "," {
            return Err(Why::Shape);
        }
        before..bytes.end
    };
    Ok(vec![whole_line(page, edit)])
}

/// Where nothing but blanks is left of a line, the line goes.
fn whole_line(page: Page<'_>, bytes: Range<usize>) -> Edit {
    let (first, end) = (page.line_start(bytes.start), page.line_end(bytes.end));
    let alone =
        page.slice(first..bytes.start).trim().is_empty() && page.slice(bytes.end..end).trim().is_empty();
    let is_line = alone && page.slice(bytes.start..bytes.end).find('\n').is_none() && first > 0;
    if is_line { Edit::new(first..end, "") } else { Edit::new(bytes, "") }
}
