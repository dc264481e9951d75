//! kinora-train
