//! The boxes of an MP4, and the one that is its index. No length is trusted.

use std::io::{Read, Seek, SeekFrom};

/// The largest index read into memory; an hour of film takes under 2 MB.
const MAX_INDEX: u64 = 64 << 20;

/// Boxes that files begin with; old QuickTime files have no `ftyp`.
pub(crate) fn is_first(kind: &[u8]) -> bool {
    const FIRST: [&[u8]; 6] = [b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"];
    FIRST.contains(&kind)
}

/// The index of a file, and how long the file is.
pub(crate) struct Index {
    pub moov: Vec<u8>,
    pub end: u64,
}

/// Walks the top-level boxes, checks that each ends inside the file, and
/// returns the body of `moov`.
pub(crate) fn read_index(file: &mut (impl Read + Seek)) -> Result<Index, String> {
    let io = |e: std::io::Error| format!("it can't be read: {e}");
    let end = file.seek(SeekFrom::End(0)).map_err(io)?;
    let mut at = file.seek(SeekFrom::Start(0)).map_err(io)?;
    let (mut index, mut pictures) = (None, false);
    while at < end {
        let mut head = [0; 8];
        file.read_exact(&mut head)
            .map_err(|_| "it ends inside a box header")?;
        let [a, b, c, d, kind @ ..] = head;
        let (mut header, mut len) = (8, u64::from(u32::from_be_bytes([a, b, c, d])));
        if len == 1 {
            let mut wide = [0; 8];
            file.read_exact(&mut wide)
                .map_err(|_| "it ends inside a box header")?;
            (header, len) = (16, u64::from_be_bytes(wide));
        } else if len == 0 {
            len = end - at;
        }
        let name = kind.escape_ascii();
        if at == 0 && !is_first(&kind) {
            return Err("it does not begin with the ftyp box".into());
        }
        if len < header {
            return Err(format!(
                "its {name} box says it is {len} bytes long, shorter than its own header"
            ));
        }
        if len > end - at {
            return Err(format!(
                "its {name} box says {len} bytes, but {} are left: the file is truncated",
                end - at
            ));
        }
        if &kind == b"moov" && index.is_none() {
            let body = len - header;
            if body > MAX_INDEX {
                return Err(format!(
                    "its index says {body} bytes; the most read here is {MAX_INDEX}"
                ));
            }
            let mut bytes = vec![0; body as usize];
            file.read_exact(&mut bytes).map_err(io)?;
            index = Some(bytes);
        }
        pictures |= &kind == b"mdat";
        at += len;
        file.seek(SeekFrom::Start(at)).map_err(io)?;
    }
    let index = index
        .ok_or("it has no moov box (the index): the file is truncated or still being written")?;
    if !pictures {
        return Err("it has no mdat box (the pictures): the file is truncated".into());
    }
    Ok(Index { moov: index, end })
}

/// A box: four letters and what they hold.
#[derive(Clone, Copy)]
pub(crate) struct Box4<'a> {
    pub kind: [u8; 4],
    pub body: &'a [u8],
}

impl<'a> Box4<'a> {
    /// The boxes inside, up to the first that lies about its length.
    pub(crate) fn children(&self) -> impl Iterator<Item = Result<Box4<'a>, String>> + use<'a> {
        let Box4 {
            kind: parent,
            body: mut rest,
        } = *self;
        std::iter::from_fn(move || {
            // Fewer bytes than a header are padding: some writers end a list so.
            let (&[a, b, c, d, w, x, y, z], _) = rest.split_first_chunk()?;
            let (len, kind) = (u32::from_be_bytes([a, b, c, d]) as usize, [w, x, y, z]);
            let Some(body) = rest.get(8..len) else {
                let (left, inside) = (rest.len(), parent.escape_ascii());
                rest = &[];
                return Some(Err(format!(
                    "inside its {inside} box, {} says {len} bytes where {left} are left",
                    kind.escape_ascii()
                )));
            };
            rest = &rest[len..];
            Some(Ok(Box4 { kind, body }))
        })
    }

    pub(crate) fn child(&self, kind: &[u8; 4]) -> Result<Box4<'a>, String> {
        let mut children = self.children();
        children
            .find(|child| child.as_ref().map_or(true, |b| &b.kind == kind))
            .unwrap_or_else(|| {
                Err(format!(
                    "its {} box lacks a {} box",
                    self.kind.escape_ascii(),
                    kind.escape_ascii()
                ))
            })
    }
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(
        bytes.get(at..at.checked_add(2)?)?.try_into().ok()?,
    ))
}
