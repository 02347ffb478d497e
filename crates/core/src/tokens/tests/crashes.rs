use std::sync::Arc;

use serde_json::json;
use vestal_crypto::SecretString;
use vestal_logical::Clock;
use vestal_storage::testing::{FaultStore, every_crash};

use super::{Bench, below, left_behind};
use crate::testing::TestVault;
use crate::tokens::NewToken;

/// Whatever was acknowledged is there, and nothing is there by halves.
#[tokio::test]
async fn tokens_survive_a_crash_at_any_operation_of_their_making() {
    let scenario = |store: Arc<FaultStore>| async move {
        let mut made = Vec::new();
        let Ok(bench) = Bench::on(store, 1).await else { return made };
        let mut parent = None;
        for _ in 0..3 {
            let Ok((_, entry)) = bench.make(below(parent.as_deref())).await else { break };
            parent = Some(entry.id.clone());
            made.push(entry.id.clone());
            if bench.tokens.renew(&entry.id, 60, 999, bench.clock.now()).await.is_err() {
                break;
            }
        }
        made
    };
    let crashes = every_crash(scenario, |store, made| async move {
        let bench = Bench::on(store, 2).await.expect("opened");
        for id in &made {
            assert!(bench.alive(id).await);
        }
        assert!(bench.tokens.accessors().await.expect("list").len() <= made.len() + 1);
        assert_eq!(left_behind(&bench.barrier).await, Vec::<String>::new());
    })
    .await;
    assert!(crashes > 20, "{crashes}");
}

/// A tree of seven: one, two, four.
async fn tree(bench: &Bench) -> Option<Vec<String>> {
    let mut ids: Vec<String> = Vec::new();
    for number in 0..7_usize {
        let parent = number.checked_sub(1).map(|before| ids[before / 2].clone());
        ids.push(bench.make(below(parent.as_deref())).await.ok()?.1.id);
    }
    Some(ids)
}

#[tokio::test]
async fn a_tree_is_whole_or_gone_whenever_its_revocation_crashes() {
    for alone in [false, true] {
        let scenario = |store: Arc<FaultStore>| async move {
            let bench = Bench::on(store, 1).await.ok()?;
            let ids = tree(&bench).await?;
            let revoked = if alone {
                bench.tokens.revoke_alone(&ids[0]).await.map(drop)
            } else {
                bench.tokens.revoke(&ids[0]).await
            };
            Some((ids, revoked.is_ok()))
        };
        let crashes = every_crash(scenario, |store, outcome| async move {
            let bench = Bench::on(store, 2).await.expect("opened");
            assert_eq!(left_behind(&bench.barrier).await, Vec::<String>::new());
            let Some((ids, acknowledged)) = outcome else { return };
            let mut alive = 0;
            for id in &ids {
                alive += usize::from(bench.alive(id).await);
            }
            let gone = if alone { 6 } else { 0 };
            assert!(
                alive == gone || (alive == 7 && !acknowledged),
                "{alive} alive, acknowledged: {acknowledged}"
            );
        })
        .await;
        assert!(crashes > 40, "{crashes}");
    }
}

#[tokio::test]
async fn no_crash_gives_a_use_back() {
    let scenario = |store: Arc<FaultStore>| async move {
        let bench = Bench::on(store, 1).await.ok()?;
        let (token, entry) = bench.make(NewToken { num_uses: 3, ..below(None) }).await.ok()?;
        let mut uses = 0;
        for _ in 0..3 {
            let Ok(presented) = bench.tokens.authenticate(&token, bench.clock.now()).await else { break };
            uses += 1;
            if presented.last_use {
                drop(bench.tokens.revoke(&entry.id).await);
            }
        }
        Some((token, uses))
    };
    every_crash(scenario, |store, outcome: Option<(SecretString, u64)>| async move {
        let bench = Bench::on(store, 2).await.expect("opened");
        if let Some((token, uses)) = outcome {
            let left = bench
                .tokens
                .peek(&token, bench.clock.now())
                .await
                .expect("read")
                .map_or(0, |entry| entry.num_uses);
            assert!(uses + left <= 3 && uses + left >= 2, "{uses} used, {left} left");
        }
        assert_eq!(left_behind(&bench.barrier).await, Vec::<String>::new());
    })
    .await;
}

/// A wrapping token that was handed out holds its answer; it is given at most once.
#[tokio::test]
async fn a_wrapped_answer_survives_a_crash_and_is_never_given_twice() {
    let scenario = |store: Arc<FaultStore>| async move {
        let vault = TestVault::on(store, 1).await.ok()?;
        let wrapped = vault.write("sys/wrapping/wrap", json!({ "a": 1 })).as_root().wrapped(60).send().await;
        if !wrapped.is_ok() {
            return None;
        }
        let token = wrapped.token();
        let given =
            vault.write("sys/wrapping/unwrap", json!({ "token": token })).as_root().send().await.is_ok();
        Some((token, given))
    };
    let crashes = every_crash(scenario, |store, outcome| async move {
        let vault = TestVault::on(store, 2).await.expect("opened");
        if let Some((token, given)) = outcome {
            let told = vault.write("sys/wrapping/unwrap", json!({ "token": token })).as_root().send().await;
            assert!(!(given && told.is_ok()), "given twice");
            if told.is_ok() {
                assert_eq!(told.unwrapped()["data"], json!({ "a": 1 }));
            }
        }
        assert_eq!(left_behind(&vault.active.barrier).await, Vec::<String>::new());
    })
    .await;
    assert!(crashes > 20, "{crashes}");
}
