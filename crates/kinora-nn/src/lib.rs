//! kinora-nn
