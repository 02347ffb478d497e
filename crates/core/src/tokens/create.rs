//! Making tokens.

use vestal_crypto::{Entropy, SecretString};
use vestal_logical::{Error, Timestamp};
use vestal_storage::{Changes, Empty, StorageError};
use zeroize::Zeroizing;

use super::entry::{AccessorRecord, NewToken, TokenEntry};
use super::store::{TRIES, TokenStore, accessor_place, child_place, id_place, too_much_traffic};

/// How long the random part of a token or accessor is: 142 bits.
const RANDOM: usize = 24;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl TokenStore {
    /// Makes a token. The parent must be alive and stay so until the child is there; else nothing is made.
    pub(crate) async fn create(
        &self,
        new: NewToken,
        now: Timestamp,
    ) -> Result<(SecretString, TokenEntry), Error> {
        for _ in 0..TRIES {
            let mut changes = Changes::new();
            if let Some(parent) = &new.parent {
                let found = self.read(parent).await?.filter(|found| found.entry.alive(now));
                let found =
                    found.ok_or_else(|| Error::invalid("parent token lookup failed: no parent found"))?;
                changes.expect(&self.view, &id_place(parent), found.stamp)?;
            }
            let (token, entry) = self.draft(&mut changes, new.clone(), now)?;
            if new.id.is_some() && self.read(&entry.id).await?.is_some() {
                return Err(Error::invalid("cannot create a token with a duplicate ID"));
            }
            match self.commit_drafts(changes, &[&entry]).await {
                Ok(()) => return Ok((token, entry)),
                Err(StorageError::Conflict) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_much_traffic())
    }

    /// Adds a token to a batch, to be committed by [`commit_drafts`](Self::commit_drafts). Whoever names a parent has the
    /// batch expect that it lives.
    pub(crate) fn draft(
        &self,
        changes: &mut Changes,
        new: NewToken,
        now: Timestamp,
    ) -> Result<(SecretString, TokenEntry), Error> {
        let token = new.id.clone().unwrap_or_else(|| service_token(self.entropy.as_ref()));
        let entry = self.entry_of(new, &token, now)?;
        let place = id_place(&entry.id);
        let accessor = AccessorRecord { accessor: entry.accessor.clone(), id: entry.id.clone() };
        changes.put(&self.view, &place, &entry)?.expect_absent(&self.view, &place)?;
        changes.put(&self.view, &accessor_place(&self.accessor_id(&entry.accessor)?), &accessor)?;
        if let Some(parent) = &entry.parent {
            changes.put(&self.view, &child_place(parent, &entry.id), &Empty)?;
        }
        if let Some(due) = entry.due() {
            self.due.add(changes, &due)?;
        }
        Ok((token, entry))
    }

    /// Commits a batch with drafts in it. When it cannot be known whether they were made, they are revoked: nobody will
    /// ever be told of them.
    pub(crate) async fn commit_drafts(
        &self,
        changes: Changes,
        drafts: &[&TokenEntry],
    ) -> Result<(), StorageError> {
        let committed = self.barrier.commit(changes).await;
        match &committed {
            Ok(_) => drafts.iter().filter_map(|entry| entry.due()).for_each(|due| self.wake_for(due.at)),
            Err(StorageError::Undetermined(_)) => {
                for entry in drafts {
                    if let Err(error) = self.revoke(&entry.id).await {
                        tracing::error!(%error, "a token that nobody was told of may have been made and could not be revoked");
                    }
                }
            }
            Err(_) => {}
        }
        committed.map(drop)
    }

    fn entry_of(&self, new: NewToken, token: &SecretString, now: Timestamp) -> Result<TokenEntry, Error> {
        Ok(TokenEntry {
            id: self.id_of(token)?,
            accessor: random_text(self.entropy.as_ref(), "").to_string(),
            parent: new.parent,
            policies: new.policies,
            path: new.path,
            display_name: new.display_name,
            meta: new.meta,
            num_uses: new.num_uses,
            uses_given: new.num_uses,
            created: now,
            ttl: new.ttl,
            granted: new.ttl,
            explicit_max_ttl: new.explicit_max_ttl,
            period: new.period,
            renewable: new.renewable && new.ttl > 0,
            expires: (new.ttl > 0).then(|| now.plus(std::time::Duration::from_secs(new.ttl))),
            last_renewal: None,
            role: new.role,
            entity_id: new.entity_id,
            revoking: false,
            spent: false,
        })
    }
}

fn service_token(entropy: &dyn Entropy) -> SecretString {
    SecretString::new(random_text(entropy, "s.").as_str())
}

/// Letters and digits, each as likely as the others.
fn random_text(entropy: &dyn Entropy, prefix: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + RANDOM));
    text.push_str(prefix);
    while text.len() < prefix.len() + RANDOM {
        let bytes = Zeroizing::new(vestal_crypto::entropy::array::<32>(entropy));
        // 248 is the greatest multiple of 62 in a byte; what lies above would make some letters likelier.
        let letters = bytes.iter().filter(|byte| **byte < 248);
        let letters = letters.filter_map(|byte| ALPHABET.get(usize::from(*byte % 62)));
        let missing = prefix.len() + RANDOM - text.len();
        text.extend(letters.take(missing).map(|letter| char::from(*letter)));
    }
    text
}
