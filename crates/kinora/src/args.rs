//! Values of flags that several commands share.

/// Reads `192x128`. Numbers that make no sense are left to the planner, which says what is allowed.
pub fn size(text: &str) -> Result<(i64, i64), String> {
    let wrong = || "write width x height in pixels, as 192x128".to_owned();
    let (width, height) = text.split_once(['x', 'X']).ok_or_else(wrong)?;
    Ok((
        width.trim().parse().map_err(|_| wrong())?,
        height.trim().parse().map_err(|_| wrong())?,
    ))
}
