//! kinora-stage
