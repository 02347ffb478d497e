use argon2::{AssociatedData, ParamsBuilder};

use super::*;
use crate::SeededEntropy;

fn small() -> PasswordParams {
    PasswordParams { memory_kib: 64, passes: 3, lanes: 1, salt: std::array::from_fn(|index| index as u8) }
}

#[test]
fn the_function_gives_the_vector_of_rfc_9106() {
    // Section 5.3, Argon2id.
    let params = ParamsBuilder::new()
        .m_cost(32)
        .t_cost(3)
        .p_cost(4)
        .output_len(32)
        .data(AssociatedData::new(&[4; 12]).unwrap())
        .build()
        .unwrap();
    let argon2 = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
    assert_eq!(
        hex::encode(*run(&argon2, &[1; 32], &[2; 16]).unwrap()),
        "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
    );
}

#[test]
fn a_passphrase_gives_the_key_that_another_implementation_computes() {
    let four_lanes = PasswordParams { memory_kib: 256, passes: 1, lanes: 4, ..small() };
    let cases = [
        (small(), "correct horse", "a1dc6a57c61d5fb470584e24085ea3216fd369c61bcd5f845745f9cb0ed02fca"),
        (four_lanes, "pässphrase", "f985281df28baf446c7562c4b5f84be6579b71087e5576e3257ef9fae842e20e"),
    ];
    for (params, passphrase, key) in cases {
        assert_eq!(hex::encode(params.derive(&passphrase.into()).unwrap().expose()), key);
    }
}

#[test]
fn every_parameter_and_the_passphrase_change_the_key() {
    let key = small().derive(&"passphrase".into()).unwrap();
    let mut other_salt = small();
    other_salt.salt[15] ^= 1;
    let cases = [
        (small(), "passphrase "),
        (other_salt, "passphrase"),
        (PasswordParams { memory_kib: 72, ..small() }, "passphrase"),
        (PasswordParams { passes: 4, ..small() }, "passphrase"),
        (PasswordParams { lanes: 2, ..small() }, "passphrase"),
    ];
    for (params, passphrase) in cases {
        assert_ne!(params.derive(&passphrase.into()).unwrap(), key, "{params:?} {passphrase}");
    }
    assert_eq!(small().derive(&"passphrase".into()).unwrap(), key);
}

#[test]
fn parameters_out_of_bounds_and_empty_passphrases_are_refused() {
    let cases = [
        (PasswordParams { memory_kib: 7, ..small() }, "p", PasswordError::OutOfBounds),
        (PasswordParams { memory_kib: u32::MAX, ..small() }, "p", PasswordError::OutOfBounds),
        (PasswordParams { passes: 0, ..small() }, "p", PasswordError::OutOfBounds),
        (PasswordParams { passes: u32::MAX, ..small() }, "p", PasswordError::OutOfBounds),
        (PasswordParams { lanes: 0, ..small() }, "p", PasswordError::OutOfBounds),
        (PasswordParams { lanes: 65, memory_kib: 65 * 8, ..small() }, "p", PasswordError::OutOfBounds),
        (PasswordParams { lanes: 9, ..small() }, "p", PasswordError::OutOfBounds),
        (small(), "", PasswordError::Empty),
    ];
    for (params, passphrase, error) in cases {
        assert_eq!(params.derive(&passphrase.into()), Err(error), "{params:?}");
    }
}

#[test]
fn calibration_takes_memory_first_then_passes_and_ends_on_any_machine() {
    // Milliseconds that 64 MiB take on the machine, and the target; then KiB and passes. The machine is made
    // up, so it takes the time without doing the work: twice the memory, twice the time.
    let cases = [
        (1_000, 500, 64 * 1024, 3),
        (1_000, 1_000, 64 * 1024, 3),
        (1_000, 1_700, 64 * 1024, 5),
        (300, 1_000, 128 * 1024, 5),
        (100, 1_000, 256 * 1024, 7),
        (10, 1_000, 256 * 1024, 64),
        (0, 1_000, 256 * 1024, 64),
        (1, u64::MAX, 256 * 1024, 64),
        (u64::MAX / 8, 1, 64 * 1024, 3),
    ];
    for (at_least, target, memory_kib, passes) in cases {
        let mut next = at_least;
        let params = PasswordParams::calibrate(&SeededEntropy::new(1), target, |_| {
            let took = next;
            next *= 2;
            took
        });
        let params = params.unwrap();
        assert_eq!(
            (params.memory_kib, params.passes, params.lanes),
            (memory_kib, passes, 1),
            "{at_least} {target}"
        );
    }
}

#[test]
fn calibration_times_real_work_and_draws_a_new_salt() {
    let entropy = SeededEntropy::new(1);
    let mut runs = 0;
    let params = PasswordParams::calibrate(&entropy, 0, |work| {
        work();
        runs += 1;
        1
    })
    .unwrap();
    assert_eq!((params.memory_kib, params.passes, runs), (64 * 1024, 3, 1));
    let next = PasswordParams::calibrate(&entropy, 0, |_| 1).unwrap();
    assert_ne!(params.salt, next.salt);
}

#[test]
fn parameters_are_read_back_as_they_were_and_unknown_ones_are_refused() {
    let json = r#"{"memory_kib":64,"passes":3,"lanes":1,"salt":"000102030405060708090a0b0c0d0e0f"}"#;
    assert_eq!(serde_json::to_string(&small()).unwrap(), json);
    assert_eq!(serde_json::from_str::<PasswordParams>(json).unwrap(), small());
    for wrong in [json.replace("0e0f", "0e"), json.replace("lanes", "threads"), json.replace("64", "-1")] {
        assert!(serde_json::from_str::<PasswordParams>(&wrong).is_err(), "{wrong}");
    }
}
