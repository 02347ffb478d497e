//! Keeps families of tokens: issues, rotates, revokes, and says what a presented token is.
//!
//! Purely in memory and without IO: the caller brings the time and the random strings. Invariants: in a rotating
//! mode a refresh token has at most one successor; a family that ended issues nothing more, and its access tokens
//! are dead at once; spent refresh tokens are remembered for ever, for only so is reuse seen. It knows nothing of
//! HTTP or of codes.

use std::collections::HashMap;
use std::time::Duration;

use crate::call::Grant;
use crate::ledger::{End, FamilyRecord};
use crate::options::Rotation;

/// Lives and rotation in force at the moment of a call.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) rotation: Rotation,
    pub(crate) access_life: Duration,
    pub(crate) refresh_life: Option<Duration>,
}

/// What a grant is for, the same for all tokens that stem from it.
#[derive(Clone)]
pub(crate) struct Consent {
    pub(crate) client: String,
    /// Absent for client credentials.
    pub(crate) person: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) agreed_at: u64,
}

/// Random strings made before the lock is taken.
pub(crate) struct Fresh {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// Tokens to hand out.
pub(crate) struct Issued {
    pub(crate) family: u64,
    pub(crate) access: String,
    pub(crate) access_serial: u64,
    pub(crate) refresh: Option<(String, u64)>,
    pub(crate) scope: Option<String>,
    pub(crate) consent: Consent,
    pub(crate) terms: Terms,
    pub(crate) replayed: bool,
}

/// A refresh token that came in.
pub(crate) struct Presentation<'a> {
    pub(crate) token: &'a str,
    pub(crate) client: &'a str,
    pub(crate) scope: Option<&'a str>,
}

/// Why a refresh token bought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefreshRefusal {
    Unknown,
    OtherClient,
    FamilyEnded,
    Expired,
    ScopeTooWide,
    /// The family is revoked now.
    Reused,
}

struct Family {
    record: FamilyRecord,
    consent: Consent,
}

struct RefreshToken {
    serial: u64,
    family: u64,
    expires_at: Option<u64>,
    /// When, and the token that replaced it.
    spent: Option<(u64, String)>,
}

struct AccessToken {
    serial: u64,
    family: u64,
    scope: Option<String>,
    issued_at: u64,
    expires_at: u64,
}

/// A token as a resource server or a test sees it.
pub(crate) struct View<'a> {
    pub(crate) serial: u64,
    pub(crate) family: u64,
    pub(crate) is_refresh: bool,
    pub(crate) live: bool,
    pub(crate) scope: Option<&'a str>,
    pub(crate) issued_at: Option<u64>,
    pub(crate) expires_at: Option<u64>,
    pub(crate) consent: &'a Consent,
}

/// All tokens ever issued, less the access tokens that expired.
#[derive(Default)]
pub(crate) struct Tokens {
    families: HashMap<u64, Family>,
    refresh: HashMap<String, RefreshToken>,
    access: HashMap<String, AccessToken>,
    families_made: u64,
    access_made: u64,
    refresh_made: u64,
    sweep_above: usize,
}

impl Tokens {
    pub(crate) fn open_family(
        &mut self,
        now: u64,
        terms: Terms,
        grant: Grant,
        consent: Consent,
        fresh: Fresh,
        refreshable: bool,
    ) -> Issued {
        self.families_made += 1;
        let number = self.families_made;
        let record = FamilyRecord {
            number,
            client: consent.client.clone(),
            grant,
            started_at: now,
            newest: None,
            refreshes: 0,
            replays_in_grace: 0,
            reuses: 0,
            ended: None,
        };
        let scope = consent.scope.clone();
        self.families.insert(number, Family { record, consent: consent.clone() });
        let access_serial = self.put_access(now, terms, number, scope.clone(), &fresh.access);
        let refresh = refreshable.then(|| {
            let serial = self.put_refresh(now, terms, number, &fresh.refresh);
            (fresh.refresh, serial)
        });
        Issued {
            family: number,
            access: fresh.access,
            access_serial,
            refresh,
            scope,
            consent,
            terms,
            replayed: false,
        }
    }

    /// Serial and family of a refresh token of ours.
    pub(crate) fn identify(&self, token: &str) -> Option<(u64, u64)> {
        self.refresh.get(token).map(|known| (known.serial, known.family))
    }

    pub(crate) fn refresh(
        &mut self,
        now: u64,
        terms: Terms,
        presented: Presentation<'_>,
        fresh: Fresh,
    ) -> Result<Issued, RefreshRefusal> {
        let token = self.refresh.get(presented.token).ok_or(RefreshRefusal::Unknown)?;
        let (serial, number) = (token.serial, token.family);
        let spent = token.spent.clone();
        let family = self.families.get_mut(&number).ok_or(RefreshRefusal::Unknown)?;
        let scope = admit(now, token, family, &presented)?;
        // A nonce answers one authorization request; a refreshed ID token carries none.
        let consent = Consent { nonce: None, ..family.consent.clone() };
        let (refresh, replayed) = match (terms.rotation, spent) {
            (Rotation::Reusable, _) => {
                family.record.refreshes += 1;
                ((presented.token.to_owned(), serial), false)
            }
            (_, None) => {
                family.record.refreshes += 1;
                if let Some(token) = self.refresh.get_mut(presented.token) {
                    token.spent = Some((now, fresh.refresh.clone()));
                }
                let successor = self.put_refresh(now, terms, number, &fresh.refresh);
                ((fresh.refresh, successor), false)
            }
            (rotation, Some((spent_at, successor))) => {
                let unused = self.refresh.get(&successor).filter(|next| next.spent.is_none());
                let forgiven = match (rotation, unused) {
                    (Rotation::Grace(grace), Some(next)) if now.saturating_sub(spent_at) <= millis(grace) => {
                        Some(next.serial)
                    }
                    _ => None,
                };
                let Some(next_serial) = forgiven else {
                    family.record.reuses += 1;
                    family.record.ended = Some(End::RefreshTokenReused);
                    return Err(RefreshRefusal::Reused);
                };
                family.record.replays_in_grace += 1;
                ((successor, next_serial), true)
            }
        };
        let access_serial = self.put_access(now, terms, number, scope.clone(), &fresh.access);
        Ok(Issued {
            family: number,
            access: fresh.access,
            access_serial,
            refresh: Some(refresh),
            scope,
            consent,
            terms,
            replayed,
        })
    }

    /// Ends a family that is still alive; false when there is none.
    pub(crate) fn end(&mut self, number: u64, why: End) -> bool {
        match self.families.get_mut(&number) {
            Some(family) if family.record.ended.is_none() => {
                family.record.ended = Some(why);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn end_all(&mut self, why: End) {
        for family in self.families.values_mut() {
            family.record.ended.get_or_insert(why);
        }
    }

    pub(crate) fn forget_access(&mut self, token: &str) {
        self.access.remove(token);
    }

    /// What a token is; an access token that expired may be unknown.
    pub(crate) fn view(&self, now: u64, token: &str) -> Option<View<'_>> {
        if let Some(known) = self.access.get(token) {
            let family = self.families.get(&known.family)?;
            return Some(View {
                serial: known.serial,
                family: known.family,
                is_refresh: false,
                live: family.record.is_alive() && now < known.expires_at,
                scope: known.scope.as_deref(),
                issued_at: Some(known.issued_at),
                expires_at: Some(known.expires_at),
                consent: &family.consent,
            });
        }
        let known = self.refresh.get(token)?;
        let family = self.families.get(&known.family)?;
        Some(View {
            serial: known.serial,
            family: known.family,
            is_refresh: true,
            live: family.record.is_alive() && known.spent.is_none() && !is_past(known.expires_at, now),
            scope: family.consent.scope.as_deref(),
            issued_at: None,
            expires_at: known.expires_at,
            consent: &family.consent,
        })
    }

    /// Every family, oldest first.
    pub(crate) fn families(&self) -> Vec<FamilyRecord> {
        let mut all: Vec<_> = self.families.values().map(|family| family.record.clone()).collect();
        all.sort_unstable_by_key(|family| family.number);
        all
    }

    fn put_access(&mut self, now: u64, terms: Terms, family: u64, scope: Option<String>, token: &str) -> u64 {
        if self.access.len() > self.sweep_above {
            self.access.retain(|_, known| now < known.expires_at);
            self.sweep_above = (self.access.len() * 2).max(4096);
        }
        self.access_made += 1;
        let serial = self.access_made;
        let expires_at = now.saturating_add(millis(terms.access_life));
        self.access
            .insert(token.to_owned(), AccessToken { serial, family, scope, issued_at: now, expires_at });
        serial
    }

    fn put_refresh(&mut self, now: u64, terms: Terms, family: u64, token: &str) -> u64 {
        self.refresh_made += 1;
        let serial = self.refresh_made;
        let expires_at = terms.refresh_life.map(|life| now.saturating_add(millis(life)));
        self.refresh.insert(token.to_owned(), RefreshToken { serial, family, expires_at, spent: None });
        if let Some(family) = self.families.get_mut(&family) {
            family.record.newest = Some(serial);
        }
        serial
    }
}

/// Everything that is checked before a refresh token counts as spent; the scope granted when all is well.
fn admit(
    now: u64,
    token: &RefreshToken,
    family: &Family,
    presented: &Presentation<'_>,
) -> Result<Option<String>, RefreshRefusal> {
    if family.consent.client != presented.client {
        return Err(RefreshRefusal::OtherClient);
    }
    if family.record.ended.is_some() {
        return Err(RefreshRefusal::FamilyEnded);
    }
    if is_past(token.expires_at, now) {
        return Err(RefreshRefusal::Expired);
    }
    match presented.scope {
        None => Ok(family.consent.scope.clone()),
        Some(asked) if is_within(asked, family.consent.scope.as_deref()) => Ok(Some(asked.to_owned())),
        Some(_) => Err(RefreshRefusal::ScopeTooWide),
    }
}

fn is_within(asked: &str, granted: Option<&str>) -> bool {
    let granted: Vec<_> = granted.unwrap_or_default().split(' ').collect();
    asked.split(' ').filter(|scope| !scope.is_empty()).all(|scope| granted.contains(&scope))
}

fn is_past(expires_at: Option<u64>, now: u64) -> bool {
    expires_at.is_some_and(|at| at <= now)
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
