//! Kills and full disks on the way from the last step to the visible result: between the file and the row above all.

use super::bucket::{Bucket, Hold};
use super::{Home, Served, is_running, stripe, undisturbed, until};
use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The smallest picture, as a data URL.
const PICTURE: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// Takes the record for itself until it is dropped: others can read it, and must wait to write.
struct Lock {
    _runtime: tokio::runtime::Runtime,
    _connection: SqliteConnection,
}

impl Lock {
    fn new(home: &Home) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.expect("a runtime");
        let url = format!("sqlite:{}", home.path().join("kinora.db").display());
        let locked = runtime.block_on(async {
            let mut connection = SqliteConnection::connect(&url).await?;
            sqlx::query("BEGIN IMMEDIATE")
                .execute(&mut connection)
                .await?;
            Ok::<_, sqlx::Error>(connection)
        });
        Self {
            _connection: locked.expect("the lock"),
            _runtime: runtime,
        }
    }
}

fn is_decoding(video: &serde_json::Value) -> bool {
    (85..97).contains(&video["progress"].as_i64().unwrap_or_default())
}

/// Starts the server again; the job must end once, with the bytes of one that nothing disturbed.
fn finishes(home: &Home, id: &str, flags: &[&str]) -> Served {
    let served = home.serve(1, flags);
    served.completed(id);
    assert_eq!(served.content(id), undisturbed());
    let (status, told) = home.doctor(flags);
    assert_eq!(status, Some(0), "{told}");
    served
}

#[test]
fn a_job_survives_kill_9_in_the_middle_of_decoding() {
    let home = Home::new();
    let served = home.serve(100, &[]);
    let id = served.create(stripe());
    served.wait(&id, is_decoding);
    served.kill();
    finishes(&home, &id, &[]);
    assert_eq!(home.files().len(), 3);
}

#[test]
fn a_job_survives_kill_9_in_the_middle_of_its_upload() {
    let (home, bucket) = (Home::new(), Bucket::new());
    let flags = bucket.flags();
    let served = home.serve(1, &flags);
    bucket.hold(Hold::Arriving);
    let id = served.create(stripe());
    bucket.held();
    assert_eq!(served.video(&id)["status"], "in_progress");
    served.kill();
    finishes(&home, &id, &flags);
    assert_eq!(bucket.files().len(), 3, "three files a video, no other");
}

#[test]
fn a_job_survives_kill_9_between_its_files_in_a_bucket_and_its_row() {
    let (home, bucket) = (Home::new(), Bucket::new());
    let flags = bucket.flags();
    let served = home.serve(1, &flags);
    bucket.hold(Hold::Kept(3));
    let id = served.create(stripe());
    bucket.held();
    assert_eq!(served.video(&id)["status"], "in_progress");
    served.kill();
    let before = bucket.files();
    let served = finishes(&home, &id, &flags);
    assert_eq!(bucket.files(), before, "the same bytes are the same files");
    assert_eq!(served.delete(&format!("/v1/videos/{id}")).status, 200);
    assert_eq!(bucket.files().len(), 0);
}

#[test]
fn a_job_survives_kill_9_between_its_files_in_a_folder_and_its_row() {
    let home = Home::new();
    let served = home.serve(100, &[]);
    let id = served.create(stripe());
    served.wait(&id, is_decoding);
    let lock = Lock::new(&home);
    until("three files", || whole(&home).len() == 3);
    assert_eq!(served.video(&id)["status"], "in_progress");
    served.kill();
    let before = whole(&home);
    drop(lock);
    finishes(&home, &id, &[]);
    assert_eq!(whole(&home), before, "the same bytes are the same files");
}

/// Files that are written to their end.
fn whole(home: &Home) -> Vec<PathBuf> {
    let unfinished = |file: &PathBuf| file.to_string_lossy().contains('#');
    let files = home.files().into_iter();
    files.filter(|file| !unfinished(file)).collect()
}

#[test]
fn what_a_kill_leaves_of_an_unaccepted_job_is_found_and_mended() {
    let (home, bucket) = (Home::new(), Bucket::new());
    let flags = bucket.flags();
    let served = home.serve(1, &flags);
    bucket.hold(Hold::Kept(1));
    let url = format!("{}/v1/videos", served.url);
    let agent = served.agent.clone();
    let asked = std::thread::spawn(move || {
        let body = json!({ "prompt": "a stripe", "input_reference": { "image_url": PICTURE } });
        agent.post(url).send_json(body)
    });
    bucket.held();
    served.kill();
    assert!(
        asked.join().expect("no panic").is_err(),
        "nothing was accepted"
    );
    assert_eq!(bucket.files().len(), 1);
    let (status, told) = home.doctor(&flags);
    assert_eq!(status, Some(1));
    assert!(told.contains("belong to nothing"), "{told}");
    let mend = [&flags[..], &["--mend"]].concat();
    assert_eq!(home.doctor(&mend).0, Some(0));
    assert_eq!(home.doctor(&flags).0, Some(0));
    assert_eq!(bucket.files().len(), 0);
}

#[test]
fn a_file_that_was_changed_in_the_store_is_not_used() {
    let home = Home::new();
    let served = home.serve(1, &["--no-worker"]);
    let id = served.create(json!({
        "prompt": "a stripe", "input_reference": { "image_url": PICTURE }
    }));
    fs::write(&home.files()[0], "another").expect("it is there");
    let _worker = home.worker(1, &[]);
    let video = served.wait(&id, super::is_over);
    let message = video["error"]["message"].as_str().expect("a reason");
    assert!(message.contains("is not what was kept"), "{message}");
}

#[test]
fn a_file_that_a_kill_left_unfinished_is_found_and_mended() {
    let home = Home::new();
    let served = home.serve(0, &[]);
    let id = served.create(stripe());
    served.completed(&id);
    let folder = home.path().join("files").join(&id);
    let part = fs::File::create(folder.join("0123#1")).expect("a file");
    assert_eq!(home.doctor(&[]).0, Some(0), "it may still be written");
    let hour = Duration::from_secs(3600);
    part.set_modified(std::time::SystemTime::now() - hour)
        .expect("an older file");
    let (status, told) = home.doctor(&[]);
    assert_eq!(status, Some(1));
    assert!(told.contains("0123#1"), "{told}");
    assert_eq!(home.doctor(&["--mend"]).0, Some(0));
    assert_eq!(home.doctor(&[]).0, Some(0));
    assert_eq!(home.files().len(), 3);
}

/// A disk of a few megabytes that can be filled and freed; gone when it is dropped.
struct Disk<'a> {
    place: &'a Path,
}

impl<'a> Disk<'a> {
    /// Nothing where this user may not mount one.
    fn new(place: &'a Path) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "none"])
            .arg(place)
            .output();
        let mounted = mounted.is_ok_and(|output| output.status.success());
        mounted.then_some(Self { place })
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.place.join("fill")).expect("a file");
        let full = std::io::copy(&mut std::io::repeat(0), &mut file);
        full.expect_err("no space is left");
    }

    fn free(&self) {
        fs::remove_file(self.place.join("fill")).expect("it is there");
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.place).status();
    }
}

#[test]
fn a_full_disk_of_records_and_files_loses_nothing() {
    let home = Home::new();
    let Some(disk) = Disk::new(home.path()) else {
        println!("not tested: this user may not mount a small disk");
        return;
    };
    let served = home.serve(50, &[]);
    let (id, next) = (served.create(stripe()), served.create(stripe()));
    served.wait(&id, is_running);
    disk.fill();
    let refused = served.post("/v1/videos", &stripe());
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.text().contains("try again"), "{}", refused.text());
    // Longer than the rest of the job takes.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        assert_eq!(served.get("/healthz").status, 200);
        assert_eq!(served.video(&id)["status"], "in_progress");
        assert_eq!(served.video(&next)["status"], "queued");
        sleep(Duration::from_millis(100));
    }
    disk.free();
    for id in [id, next, served.create(stripe())] {
        served.completed(&id);
        assert_eq!(served.content(&id), undisturbed());
    }
    assert!(home.log().contains("trying again"), "{}", home.log());
    assert_eq!(home.doctor(&[]).0, Some(0));
}
