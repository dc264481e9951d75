//! kinora-models
