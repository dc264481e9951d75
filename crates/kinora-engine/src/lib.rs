//! kinora-engine
