//! kinora-diffusion
