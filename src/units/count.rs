//! How many of a thing, in words.

/// `1 pod`, `3 pods`, `0 pods`: for words whose plural ends in `s`.
pub fn count(n: impl TryInto<u64>, one: &str) -> String {
    // What is more than that is many.
    let n = n.try_into().unwrap_or(u64::MAX);
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn one_of_a_thing_has_no_s() {
        assert_eq!([count(0_u32, "pod"), count(1_usize, "pod"), count(2_u64, "pod")], ["0 pods", "1 pod", "2 pods"]);
    }
}
