//! The flag `--lora`.

use kinora_engine::{Expert, LoraRequest};

/// Most of a LoRA that can be asked for, added or taken away.
const STRONGEST: f64 = 10.0;

/// `FILE`, `FILE:0.7`, `FILE@low` or `FILE:0.7@low`.
pub fn parse_lora(text: &str) -> Result<LoraRequest, String> {
    let experts = [("@high", Expert::High), ("@low", Expert::Low)];
    let named = experts
        .iter()
        .find_map(|(end, expert)| Some((text.strip_suffix(end)?, *expert)));
    let (text, expert) = match named {
        Some((text, expert)) => (text, Some(expert)),
        None => (text, None),
    };
    let weighed = text
        .rsplit_once(':')
        .and_then(|(file, weight)| Some((file, weight.parse::<f64>().ok()?)));
    let (file, weight) = weighed.unwrap_or((text, 1.0));
    if file.is_empty() {
        return Err("it names no file".to_owned());
    }
    if weight == 0.0 || !(-STRONGEST..=STRONGEST).contains(&weight) {
        return Err(format!(
            "the weight is {weight}; it can be {STRONGEST} at the most and not 0, which changes nothing"
        ));
    }
    Ok(LoraRequest {
        path: file.into(),
        weight,
        expert,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_a_weight_and_a_transformer() {
        let parsed = |text| {
            let LoraRequest {
                path,
                weight,
                expert,
            } = parse_lora(text).unwrap();
            (path.display().to_string(), weight, expert)
        };
        assert_eq!(parsed("a.safetensors"), ("a.safetensors".into(), 1.0, None));
        assert_eq!(parsed("b:-0.5@low"), ("b".into(), -0.5, Some(Expert::Low)));
        assert_eq!(
            parsed("c:/d:2@high"),
            ("c:/d".into(), 2.0, Some(Expert::High))
        );
        assert_eq!(parsed("e:f"), ("e:f".into(), 1.0, None));
        for wrong in ["", ":1", "a:0", "a:nan", "a:11"] {
            assert!(parse_lora(wrong).is_err(), "{wrong}");
        }
    }
}
