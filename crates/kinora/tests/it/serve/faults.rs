//! Kills, crowds and cancels: nothing accepted is lost, nothing is done twice visibly.

use super::{Home, Served, is_over, is_running, stripe, undisturbed};
use serde_json::{Value, json};
use std::fs;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

#[test]
fn a_job_survives_kill_9_in_the_middle_of_a_step() {
    let home = Home::new();
    let served = home.serve(100, &[]);
    let id = served.create(stripe());
    served.wait(&id, is_running);
    served.kill();
    let served = home.serve(5, &[]);
    served.completed(&id);
    assert_eq!(served.content(&id), undisturbed());
}

#[test]
fn another_server_takes_over_from_a_killed_one_and_one_result_is_seen() {
    let home = Home::new();
    let (one, other) = (home.serve(100, &[]), home.serve(5, &["--no-worker"]));
    let ids: Vec<String> = (0..3).map(|_| other.create(stripe())).collect();
    one.wait(&ids[0], is_running);
    one.kill();
    let third = home.serve(5, &[]);
    for id in &ids {
        other.completed(id);
        assert_eq!(other.content(id), undisturbed());
    }
    assert_eq!(home.files().len(), 3 * 3, "three files a video, no other");
    drop(third);
}

#[test]
fn a_worker_that_slept_past_its_lease_changes_nothing() {
    let home = Home::new();
    let (slow, _other) = (home.serve(100, &[]), home.serve(1, &["--no-worker"]));
    let id = slow.create(stripe());
    slow.wait(&id, is_running);
    signal(&slow, "STOP");
    let quick = home.serve(1, &[]);
    let video = quick.completed(&id);
    signal(&slow, "CONT");
    sleep(Duration::from_secs(2));
    assert_eq!(quick.video(&id), video);
    assert_eq!(quick.content(&id), undisturbed());
}

#[cfg(unix)]
fn signal(served: &Served, name: &str) {
    let id = served.process.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-s", name, &id])
        .status();
    assert!(sent.expect("kill is there").success());
}

#[test]
fn a_job_at_which_workers_die_is_given_up_and_the_next_one_runs() {
    let home = Home::new();
    let mut served = home.serve(100, &[]);
    let id = served.create(json!({ "prompt": "[abort]" }));
    let next = served.create(stripe());
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < super::PATIENCE, "{}", home.log());
        if served
            .process
            .try_wait()
            .expect("it can be asked")
            .is_some()
        {
            served = home.serve(1, &[]);
        }
        let answer = served
            .agent
            .get(format!("{}/v1/videos/{id}", served.url))
            .call();
        let video: Option<Value> = answer.ok().and_then(|mut a| a.body_mut().read_json().ok());
        if let Some(video) = video.filter(is_over) {
            assert_eq!(video["error"]["code"], "worker_died", "{video}");
            break;
        }
        sleep(Duration::from_millis(50));
    }
    served.completed(&next);
}

#[test]
fn a_panic_fails_its_job_alone() {
    let home = Home::new();
    let served = home.serve(1, &[]);
    let (bad, good) = (
        served.create(json!({ "prompt": "[panic]" })),
        served.create(stripe()),
    );
    let video = served.wait(&bad, is_over);
    assert_eq!(video["error"]["code"], "server_error", "{video}");
    served.completed(&good);
}

#[test]
fn cancel_and_delete_stop_the_work_within_a_step() {
    let home = Home::new();
    let served = home.serve(10, &[]);
    for delete in [false, true] {
        let slow = served.create(json!({ "prompt": "[slow]", "steps": 1000 }));
        served.wait(&slow, |video| video["status"] == "in_progress");
        let began = Instant::now();
        let answer = match delete {
            false => served.post(&format!("/v1/videos/{slow}/cancel"), &json!({})),
            true => served.delete(&format!("/v1/videos/{slow}")),
        };
        assert_eq!(answer.status, 200, "{}", answer.text());
        let next = served.create(stripe());
        served.completed(&next);
        // A step takes half a second here, and the next job a fraction of one.
        assert!(
            began.elapsed() < Duration::from_secs(4),
            "{:?}",
            began.elapsed()
        );
    }
}

#[test]
fn the_signal_to_stop_hands_the_job_back() {
    let home = Home::new();
    let served = home.serve(10, &["--grace", "0s"]);
    let id = served.create(json!({ "prompt": "a [slow] stripe", "seconds": 1, "seed": 7 }));
    served.wait(&id, is_running);
    assert_eq!(served.terminate(), Some(0), "{}", home.log());
    let served = home.serve(0, &["--no-worker"]);
    assert_eq!(
        served.video(&id)["status"],
        "queued",
        "no lease has to end first"
    );
    let worker = home.serve(0, &[]);
    served.completed(&id);
    drop(worker);
}

#[test]
fn a_thousand_jobs_survive_a_kill_and_start_in_order() {
    let home = Home::new();
    let served = home.serve(0, &["--no-worker"]);
    let began = Instant::now();
    let ask = |part: usize| -> Vec<String> {
        let job = |n| json!({ "prompt": format!("{part} {n}"), "seconds": 0.1, "steps": 1 });
        (0..125).map(|n| served.create(job(n))).collect()
    };
    let ids: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|part| scope.spawn(move || ask(part))).collect();
        threads
            .into_iter()
            .flat_map(|t| t.join().expect("its jobs"))
            .collect()
    });
    println!("1,000 accepted in {:.1} s", began.elapsed().as_secs_f64());
    served.kill();
    let served = home.serve(0, &[]);
    let mut after = String::new();
    let mut seen = 0;
    let began = Instant::now();
    while seen < ids.len() {
        assert!(began.elapsed() < 4 * super::PATIENCE, "{seen} are done");
        let page = served.get(&format!("/v1/videos?order=asc&limit=100{after}"));
        let page = page.json();
        let videos = page["data"].as_array().expect("a list");
        if !videos.iter().all(is_over) {
            sleep(Duration::from_millis(200));
            continue;
        }
        assert!(videos.iter().all(|video| video["status"] == "completed"));
        seen += videos.len();
        after = format!("&after={}", page["last_id"].as_str().expect("an id"));
    }
    println!("1,000 done in {:.1} s", began.elapsed().as_secs_f64());
    let log = home.log();
    let begun: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("begun"))
        .filter_map(|line| line.split("video=\"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(begun.len(), ids.len());
    for part in ids.chunks(125) {
        let places = part.iter().map(|id| begun.iter().position(|b| b == id));
        assert!(
            places.collect::<Vec<_>>().is_sorted(),
            "in the order of acceptance"
        );
    }
}

#[test]
fn the_doctor_finds_and_mends_what_does_not_agree() {
    let home = Home::new();
    let served = home.serve(0, &[]);
    let ids = [served.create(stripe()), served.create(stripe())];
    for id in &ids {
        served.completed(id);
    }
    assert_eq!(home.doctor(&[]).0, Some(0));
    fs::remove_file(&home.files()[0]).expect("it is there");
    let stray = home.path().join("files/video_stray");
    fs::create_dir(&stray).expect("a folder");
    let file = fs::File::create(stray.join("content")).expect("a file");
    let hour = Duration::from_secs(3600);
    file.set_modified(std::time::SystemTime::now() - hour)
        .expect("an older file");
    let (status, told) = home.doctor(&[]);
    assert_eq!(status, Some(1));
    assert!(
        told.contains("video_stray") && told.contains(&ids[0]),
        "{told}"
    );
    assert_eq!(home.doctor(&["--mend"]).0, Some(0));
    assert_eq!(home.doctor(&[]).0, Some(0));
    assert_eq!(served.video(&ids[0])["error"]["code"], "files_lost");
    served.content(&ids[1]);
}
