//! Edit lists: which part of a track is shown (ISO/IEC 14496-12, 8.6.6).

use super::boxes::{Box4, u32_at};

/// What an edit list makes of a track.
pub(crate) enum Edits {
    /// Frames that begin in `from..to` of the track's own time are shown.
    Window { from: i64, to: i64 },
    /// Something that no player of one clip needs: loops, jumps, other speeds.
    Odd,
}

/// Reads the edit list of a track, whose clock counts `scale` ticks a second
/// and the film's `movie_scale`. Waiting before the first frame is left out.
pub(crate) fn edits(track: &Box4, scale: u32, movie_scale: u32) -> Edits {
    let everything = Edits::Window {
        from: i64::MIN,
        to: i64::MAX,
    };
    let Ok(list) = track.child(b"edts").and_then(|edts| edts.child(b"elst")) else {
        return everything;
    };
    let wide = list.body.first() == Some(&1);
    let size = if wide { 20 } else { 12 };
    let count = u32_at(list.body, 4).unwrap_or(0) as usize;
    let entries = list.body.get(8..).unwrap_or_default().chunks_exact(size);
    let mut shown = entries.take(count).filter_map(|entry| {
        let (length, start, speed) = if wide {
            let [length, start] = [0, 8].map(|at| u64_at(entry, at));
            (length?, start? as i64, u32_at(entry, 16)?)
        } else {
            let (length, start) = (u32_at(entry, 0)?, u32_at(entry, 4)?);
            (length.into(), i64::from(start as i32), u32_at(entry, 8)?)
        };
        (start != -1).then_some((length, start, speed))
    });
    match (shown.next(), shown.next()) {
        (None, _) => everything,
        (Some((_, from, 0x0001_0000)), None) if from < 0 => everything,
        (Some((0, from, 0x0001_0000)), None) => Edits::Window { from, to: i64::MAX },
        (Some((length, from, 0x0001_0000)), None) => {
            let (scale, movie) = (u128::from(scale), u128::from(movie_scale.max(1)));
            let length = (u128::from(length) * scale + movie / 2) / movie;
            let length = i64::try_from(length).unwrap_or(i64::MAX);
            Edits::Window {
                from,
                to: from.saturating_add(length),
            }
        }
        _ => Edits::Odd,
    }
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u32_at(bytes, at)?) << 32 | u64::from(u32_at(bytes, at + 4)?))
}
