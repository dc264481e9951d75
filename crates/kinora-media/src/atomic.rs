//! Files and folders that appear whole under their name, or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::MediaError;
use crate::still::{RECIPE_FILE, is_frame_name};

/// Checks that a file of this name can be written: its folder exists and takes
/// files, and the name is free or that of an ordinary file.
///
/// # Errors
/// When it can't, saying what stands in the way.
pub fn check_writable_file(path: &Path) -> Result<(), MediaError> {
    check_parent(path)?;
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(MediaError::destination(
            path,
            "a folder of that name is in the way",
        )),
        Ok(found) if !found.is_file() => Err(MediaError::destination(
            path,
            "it is a device or a pipe; use - to write to standard output",
        )),
        _ => Ok(()),
    }
}

/// Checks that a folder of this name can be written: it is free, empty, or
/// holds nothing but frames and a recipe from an earlier run.
///
/// # Errors
/// When it can't, saying what stands in the way.
pub(crate) fn check_writable_folder(path: &Path) -> Result<(), MediaError> {
    // Without the trailing slash, with which a file seems not to be there.
    let path = &path.components().collect::<PathBuf>();
    check_parent(path)?;
    let Ok(found) = fs::metadata(path) else {
        return Ok(());
    };
    if !found.is_dir() {
        return Err(MediaError::destination(
            path,
            "a file of that name is in the way",
        ));
    }
    let entries = fs::read_dir(path).map_err(|e| MediaError::io("read", path, e))?;
    for entry in entries {
        let entry = entry.map_err(|e| MediaError::io("read", path, e))?;
        let name = entry.file_name();
        if !name
            .to_str()
            .is_some_and(|name| name == RECIPE_FILE || is_frame_name(name))
        {
            return Err(MediaError::destination(
                path,
                format!(
                    "the folder holds {}, which is not ours to replace; name a new or empty folder",
                    name.display()
                ),
            ));
        }
    }
    Ok(())
}

fn check_parent(path: &Path) -> Result<(), MediaError> {
    let parent = parent(path);
    match fs::metadata(parent) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => {
            return Err(MediaError::destination(
                path,
                format!("{} is not a folder", parent.display()),
            ));
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let reason = format!(
                "the folder {} does not exist; create it first",
                parent.display()
            );
            return Err(MediaError::destination(path, reason));
        }
        Err(e) => {
            return Err(MediaError::destination(
                path,
                format!("{}: {e}", parent.display()),
            ));
        }
    }
    // The rights of a folder are best asked by trying.
    tempfile::tempfile_in(parent).map(drop).map_err(|e| {
        MediaError::destination(
            path,
            format!("the folder {} takes no file: {e}", parent.display()),
        )
    })
}

/// Writes a file beside its final name, brings it to the disk, then renames it.
pub(crate) fn write_file(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&mut File>) -> Result<(), MediaError>,
) -> Result<(), MediaError> {
    let temp = temporary(0o666).tempfile_in(parent(path));
    let mut temp = temp.map_err(|e| MediaError::io("write", path, e))?;
    fill_file(temp.as_file_mut(), path, fill)?;
    temp.persist(path)
        .map_err(|e| MediaError::io("rename the finished file to", path, e.error))?;
    sync_folder(parent(path))
}

/// Writes a new file in a folder that has not got its final name yet.
pub(crate) fn write_inside(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&mut File>) -> Result<(), MediaError>,
) -> Result<(), MediaError> {
    let mut file = File::create_new(path).map_err(|e| MediaError::io("write", path, e))?;
    fill_file(&mut file, path, fill)
}

fn fill_file(
    file: &mut File,
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<&mut File>) -> Result<(), MediaError>,
) -> Result<(), MediaError> {
    let mut out = BufWriter::new(file);
    fill(&mut out).map_err(|error| named(error, path))?;
    let file = out
        .into_inner()
        .map_err(|e| MediaError::io("write", path, e.into_error()))?;
    file.sync_all()
        .map_err(|e| MediaError::io("write", path, e))
}

/// Fills a folder beside its final name, then renames it. One of ours that
/// bears the name already gives way, and comes back if the rename fails.
pub(crate) fn write_folder(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), MediaError>,
) -> Result<(), MediaError> {
    // Without the trailing slash, which a rename to a new name refuses.
    let path: PathBuf = path.components().collect();
    let new = temporary(0o777)
        .tempdir_in(parent(&path))
        .map_err(|e| MediaError::io("create", &path, e))?;
    fill(new.path()).map_err(|error| named(error, &path))?;
    sync_folder(new.path())?;

    let moved = |e| MediaError::io("rename the finished folder to", &path, e);
    if path.exists() {
        let old = temporary(0o777).tempdir_in(parent(&path)).map_err(moved)?;
        let aside = old.path().join("old");
        fs::rename(&path, &aside).map_err(moved)?;
        if let Err(e) = fs::rename(new.path(), &path) {
            fs::rename(&aside, &path).map_err(moved)?;
            return Err(moved(e));
        }
    } else {
        fs::rename(new.path(), &path).map_err(moved)?;
    }
    // Nothing is left under the temporary name to clean up.
    let _ = TempDir::keep(new);
    sync_folder(parent(&path))
}

/// A hidden name in the same folder, with the rights `mode` less the umask.
fn temporary(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".kinora-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

/// The folder a path lies in: `.` for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Errors from inside get the name that was asked for, not a temporary one.
fn named(error: MediaError, path: &Path) -> MediaError {
    match error {
        MediaError::Io { action, source, .. } => MediaError::io(action, path, source),
        other => other,
    }
}

/// Makes the rename itself last; only Unix lets a folder be opened for it.
fn sync_folder(folder: &Path) -> Result<(), MediaError> {
    if cfg!(unix) {
        File::open(folder)
            .and_then(|f| f.sync_all())
            .map_err(|e| MediaError::io("sync", folder, e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_failure_half_way_leaves_what_was_there() {
        let home = tempfile::tempdir().unwrap();
        let full = || {
            MediaError::io(
                "write",
                Path::new("inside"),
                io::ErrorKind::StorageFull.into(),
            )
        };
        let (file, folder) = (home.path().join("a.mp4"), home.path().join("frames"));
        fs::write(&file, "old").unwrap();
        let told = [
            write_file(&file, |out| {
                out.write_all(b"half").unwrap();
                Err(full())
            }),
            write_folder(&folder, |inside| {
                fs::write(inside.join("frame.1001.png"), "half").unwrap();
                Err(full())
            }),
        ]
        .map(|result| result.unwrap_err().to_string());
        assert!(
            told[0].contains("a.mp4") && told[1].contains("frames"),
            "{told:?}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        assert_eq!(
            fs::read_dir(home.path()).unwrap().count(),
            1,
            "neither a folder nor a temporary name is left"
        );
    }
}
