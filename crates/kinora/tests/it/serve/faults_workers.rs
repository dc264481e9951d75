//! Workers by themselves: one takes over from another, each takes what it is for, and tells what it does.

use super::bucket::Bucket;
use super::{Home, is_running, stripe, undisturbed, until};
use serde_json::{Value, json};
use std::thread::sleep;
use std::time::Duration;

#[test]
fn another_worker_takes_over_from_a_killed_one() {
    let home = Home::new();
    let served = home.serve(1, &["--no-worker"]);
    let slow = home.worker(100, &[]);
    let id = served.create(stripe());
    served.wait(&id, is_running);
    slow.kill();
    let quick = home.worker(1, &[]);
    served.completed(&id);
    assert_eq!(served.content(&id), undisturbed());
    assert_eq!(home.files().len(), 3, "three files a video, no other");
    assert!(quick.get("/metrics").text().contains(COMPLETED));
}

const COMPLETED: &str = "kinora_jobs_total{kind=\"completed\"} 1\n";

#[test]
fn a_worker_answers_those_who_watch_over_it() {
    let home = Home::new();
    let worker = home.worker(1, &[]);
    assert_eq!(worker.get("/healthz").text(), "ok\n");
    assert_eq!(worker.get("/readyz").text(), "ok\n");
    assert_eq!(
        worker.get("/v1/videos").status,
        404,
        "it takes no work there"
    );
    assert!(
        worker
            .get("/metrics")
            .text()
            .contains("kinora_queue_jobs 0\n")
    );
    let beyond = ["worker", "--stand-in", "1", "--metrics", "0.0.0.0:0"];
    let ended = home.command(&beyond).output().expect("it starts");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("no API key"), "{said}");

    let add = ["keys", "add", "prometheus", "--scope", "metrics"];
    let made = home.command(&add).output().expect("it starts");
    let key = String::from_utf8(made.stdout).expect("UTF-8");
    assert_eq!(worker.get("/metrics").status, 401);
    let asked = worker.agent.get(format!("{}/metrics", worker.url));
    let bearer = format!("Bearer {}", key.trim());
    let answer = asked.header("authorization", bearer).call();
    assert_eq!(answer.expect("an answer").status(), 200);
    assert_eq!(worker.terminate(), Some(0), "{}", home.log());
}

#[test]
fn a_worker_takes_jobs_of_its_models_and_priorities_alone() {
    let home = Home::new();
    let models = ["--model", "small", "--model", "large"];
    let served = home.serve(1, &[&models[..], &["--no-worker"]].concat());
    let of = |model: &str| {
        let mut fields = stripe();
        fields["model"] = json!(model);
        served.create(fields)
    };
    let (small, large) = (of("small"), of("large"));
    let one = home.worker(1, &["--model", "large"]);
    served.completed(&large);
    let urgent = home.worker(1, &["--model", "small", "--min-priority", "1"]);
    sleep(Duration::from_millis(1500)); // longer than between two looks for work
    assert_eq!(served.video(&small)["status"], "queued");

    let add = ["keys", "add", "studio", "--priority", "1"];
    let made = home.command(&add).output().expect("it starts");
    let bearer = format!("Bearer {}", String::from_utf8_lossy(&made.stdout).trim());
    let ask = |path: &str, fields: Option<&Value>| -> Value {
        let url = format!("{}{path}", served.url);
        let answer = match fields {
            Some(fields) => {
                let post = served.agent.post(url).header("authorization", &bearer);
                post.send_json(fields)
            }
            None => served
                .agent
                .get(url)
                .header("authorization", &bearer)
                .call(),
        };
        let read = answer.expect("an answer").body_mut().read_json();
        read.expect("JSON")
    };
    let mut fields = stripe();
    fields["model"] = json!("small");
    let created = ask("/v1/videos", Some(&fields));
    let path = format!("/v1/videos/{}", created["id"].as_str().expect("an id"));
    until("made by the worker of its priority", || {
        ask(&path, None)["status"] == "completed"
    });
    let _any = home.worker(1, &["--model", "small"]);
    until("made by a worker of all priorities", || {
        home.files().len() == 9
    });
    drop((one, urgent));
}

#[test]
fn the_keys_of_a_bucket_are_not_shown() {
    let home = Home::new();
    let nowhere = [
        "--assets",
        "s3://films",
        "--s3-endpoint",
        "http://127.0.0.1:1",
    ];
    let aloud = ["worker", "--stand-in", "1", "--log-level", "trace"];
    for args in [&["worker", "--help"][..], &[&aloud[..], &nowhere].concat()] {
        let mut command = home.command(args);
        command
            .env("AWS_ACCESS_KEY_ID", "hush")
            .env("AWS_SECRET_ACCESS_KEY", "hush");
        let ended = command.output().expect("it starts");
        for text in [ended.stdout, ended.stderr] {
            let text = String::from_utf8_lossy(&text).into_owned();
            assert!(!text.contains("hush"), "{text}");
        }
    }
}

#[test]
fn a_worker_is_told_by_a_file_too() {
    let (home, bucket) = (Home::new(), Bucket::new());
    let flags = bucket.flags();
    let served = home.serve(1, &[&flags[..], &["--no-worker"]].concat());
    let id = served.create(stripe());
    let lines: String = flags
        .chunks(2)
        .map(|pair| format!("{} = {:?}\n", pair[0].trim_start_matches('-'), pair[1]))
        .collect();
    let file = home.path().join("kinora.toml");
    std::fs::write(&file, lines + "metrics = \"127.0.0.1:0\"\n").expect("a file");
    let file = file.to_str().expect("UTF-8");
    let _worker = home.start(&["worker", "--stand-in", "1", "--config", file]);
    served.completed(&id);
    assert_eq!(served.content(&id), undisturbed());
    assert_eq!(bucket.files().len(), 3);
}

#[test]
fn wrong_addresses_of_a_bucket_are_refused() {
    let home = Home::new();
    let wrong: [&[&str]; 4] = [
        &["--assets", "films"],
        &["--assets", "s3://"],
        &["--assets", "s3://films", "--s3-access-key", "id"],
        &["--assets", "s3://films", "--s3-endpoint", "nonsense"],
    ];
    for flags in wrong {
        let args = [&["worker", "--stand-in", "1"], flags].concat();
        let ended = home.command(&args).output().expect("it starts");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{flags:?}: {said}");
    }
}
