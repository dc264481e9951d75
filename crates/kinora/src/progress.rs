//! A bar on stderr for one clip, shown on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};
use kinora_engine::Event;

/// The bar of one clip: steps and time left, then frames.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    title: String,
}

impl Progress {
    /// A bar that begins with `title`, if there is more than one.
    pub fn new(title: Option<String>) -> Self {
        let bar = ProgressBar::new(0);
        let template = "{msg} [{bar:30}] {pos}/{len}, {eta} left";
        let style =
            ProgressStyle::with_template(template).expect("a template that is written here");
        bar.set_style(style.progress_chars("=> "));
        Self {
            bar,
            title: title.unwrap_or_default(),
        }
    }

    /// Moves the bar.
    pub fn show(&self, event: Event) {
        let (phase, done, of) = match event {
            Event::Sampled(step) => ("steps", step.done, step.of),
            Event::Decoded { done, of } => ("frames", done, of),
            Event::Preview(_) => return, // a terminal has no pictures
        };
        self.bar.set_message(format!("{}{phase}", self.title));
        self.bar.set_length(of as u64);
        self.bar.set_position(done as u64);
    }

    /// Takes the bar away.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}
