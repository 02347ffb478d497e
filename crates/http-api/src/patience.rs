//! Ends connections on which a client takes its time.
//!
//! Three alarms around the bytes of a connection: the head of a request must be complete soon after its first byte, the
//! next request must begin before long, and an answer must be taken. While a request is being served nobody hurries
//! its client here; its own deadline does.
//!
//! Invariants: a byte now and then buys no time; time is the kernel's clock. It knows no protocol beyond what it
//! is told through [`Activity`].

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use vestal_logical::Clock;

/// How long a closing connection is listened to, so that the client can read the answer to what it was still sending.
const LINGER: Duration = Duration::from_secs(1);

/// What the protocol tells about a connection.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
    multiplexed: AtomicBool,
    lingers: AtomicBool,
}

impl Activity {
    /// A request begins; it ends when the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>, multiplexed: bool) -> Serving {
        self.multiplexed.fetch_or(multiplexed, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        Serving(self.clone())
    }

    /// A body was left unread.
    pub(crate) fn linger(&self) {
        self.lingers.store(true, Ordering::Relaxed);
    }

    fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    fn is_serving(&self) -> bool {
        self.begun() != self.ended.load(Ordering::Relaxed)
    }
}

/// A request being served.
pub(crate) struct Serving(Arc<Activity>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// The three spans.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) header: Duration,
    pub(crate) idle: Duration,
    pub(crate) write: Duration,
}

/// An instant that is waited for. Once it has come it stays come: who has hung up asks again while it is tidying up, and
/// a future that has ended must not be polled again.
enum Alarm {
    Set(BoxFuture<'static, ()>),
    Rung,
}

impl Alarm {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Self::Set(wait) = self {
            ready!(wait.as_mut().poll(cx));
            *self = Self::Rung;
        }
        Poll::Ready(())
    }

    fn has_rung(&self) -> bool {
        matches!(self, Self::Rung)
    }
}

/// A stream whose peer must not dawdle.
pub(crate) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
    clock: Arc<dyn Clock>,
    patience: Patience,
    seen: u64,
    receiving: bool,
    reading: Option<Alarm>,
    writing: Option<Alarm>,
    closing: Option<Alarm>,
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S, activity: Arc<Activity>, clock: Arc<dyn Clock>, patience: Patience) -> Self {
        let mut watched = Self {
            stream,
            activity,
            clock,
            patience,
            seen: 0,
            receiving: true,
            reading: None,
            writing: None,
            closing: None,
        };
        watched.reading = Some(watched.alarm(patience.header));
        watched
    }

    fn alarm(&self, span: Duration) -> Alarm {
        Alarm::Set(self.clock.sleep_until(self.clock.now().plus(span)))
    }

    /// Forgets the alarm of a head that has arrived.
    fn notice_requests(&mut self) {
        let begun = self.activity.begun();
        if self.activity.is_serving() || begun != self.seen {
            self.seen = begun;
            self.receiving = false;
            self.reading = None;
        }
    }

    /// Starts waiting for the next request. An HTTP/1 connection whose read is pending is not read again after an
    /// answer, so that this happens when the answer is flushed.
    fn rest(&mut self, cx: &mut Context<'_>) -> bool {
        self.notice_requests();
        if !self.activity.is_serving() && self.reading.is_none() {
            self.reading = Some(self.alarm(self.patience.idle));
        }
        self.is_out_of_patience(cx)
    }

    fn is_out_of_patience(&mut self, cx: &mut Context<'_>) -> bool {
        self.reading.as_mut().is_some_and(|alarm| alarm.poll(cx).is_ready())
    }

    fn wait_to_write<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.writing = None;
            return poll;
        }
        if self.writing.is_none() {
            self.writing = Some(self.alarm(self.patience.write));
        }
        match self.writing.as_mut().map(|alarm| alarm.poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            _ => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.notice_requests();
        if this.is_out_of_patience(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buf.filled().len();
        let poll = Pin::new(&mut this.stream).poll_read(cx, buf);
        if this.activity.is_serving() {
            return poll;
        }
        if poll.is_pending() && this.rest(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let first_bytes = poll.is_ready() && buf.filled().len() > before && !this.receiving;
        if first_bytes && !this.activity.multiplexed.load(Ordering::Relaxed) {
            this.receiving = true;
            this.reading = Some(this.alarm(this.patience.header));
        }
        poll
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.wait_to_write(cx, poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.wait_to_write(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.stream).poll_flush(cx);
        let was_up = this.reading.as_ref().is_some_and(Alarm::has_rung);
        if this.rest(cx) && !was_up {
            // The next read tells that time is up, and nothing but the alarm would have asked for one.
            cx.waker().wake_by_ref();
        }
        this.wait_to_write(cx, poll)
    }

    /// Says good-bye, then lets a client that is still sending get to its answer: closing at once would reset it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.closing.is_none() {
            let poll = Pin::new(&mut this.stream).poll_shutdown(cx);
            ready!(this.wait_to_write(cx, poll))?;
            if !this.activity.lingers.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
            this.closing = Some(this.alarm(LINGER));
        }
        let mut scratch = [0; 8192];
        loop {
            if this.closing.as_mut().is_none_or(|alarm| alarm.poll(cx).is_ready()) {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use vestal_logical::testing::{SimClock, settle};

    use super::*;

    const PATIENCE: Patience = Patience {
        header: Duration::from_secs(10),
        idle: Duration::from_secs(300),
        write: Duration::from_secs(60),
    };

    struct Scene {
        clock: Arc<SimClock>,
        activity: Arc<Activity>,
        client: DuplexStream,
        reader: tokio::task::JoinHandle<io::ErrorKind>,
    }

    /// Reads for ever, as a server does, and tells what ended it.
    fn scene() -> Scene {
        let (client, server) = duplex(64);
        let clock = Arc::new(SimClock::default());
        let activity = Arc::new(Activity::default());
        let mut watched = Watched::new(server, activity.clone(), clock.clone(), PATIENCE);
        let reader = tokio::spawn(async move {
            loop {
                match watched.read_u8().await {
                    Ok(_) => {}
                    Err(error) => return error.kind(),
                }
            }
        });
        Scene { clock, activity, client, reader }
    }

    #[tokio::test]
    async fn a_head_that_dribbles_in_is_cut_off() {
        let mut scene = scene();
        for _ in 0..9 {
            scene.client.write_all(b"a").await.unwrap();
            scene.clock.advance(Duration::from_secs(1)).await;
        }
        assert!(!scene.reader.is_finished());
        scene.clock.advance(Duration::from_secs(1)).await;
        assert_eq!(scene.reader.await.unwrap(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_served_request_is_not_hurried_and_an_idle_connection_waits_long() {
        let mut scene = scene();
        scene.client.write_all(b"a").await.unwrap();
        settle().await;
        let serving = scene.activity.begin(false);
        scene.client.write_all(b"b").await.unwrap();
        scene.clock.advance(Duration::from_secs(80)).await;
        drop(serving);
        scene.client.write_all(b"c").await.unwrap();
        settle().await;
        // That byte began a new head.
        scene.clock.advance(Duration::from_secs(9)).await;
        assert!(!scene.reader.is_finished());
        drop(scene.activity.begin(false));
        scene.client.write_all(b"d").await.unwrap();
        scene.clock.advance(Duration::from_secs(10)).await;
        assert_eq!(scene.reader.await.unwrap(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_silent_connection_is_ended_after_its_idle_time() {
        let (_client, server) = duplex(64);
        let clock = Arc::new(SimClock::default());
        let activity = Arc::new(Activity::default());
        drop(activity.begin(false));
        let mut watched = Watched::new(server, activity, clock.clone(), PATIENCE);
        let reader = tokio::spawn(async move { watched.read_u8().await.unwrap_err().kind() });
        clock.advance(Duration::from_secs(299)).await;
        assert!(!reader.is_finished());
        clock.advance(Duration::from_secs(1)).await;
        assert_eq!(reader.await.unwrap(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_connection_whose_time_is_up_can_still_be_tidied_up() {
        let (_client, server) = duplex(4);
        let clock = Arc::new(SimClock::default());
        let activity = Arc::new(Activity::default());
        drop(activity.begin(false));
        activity.linger();
        let mut watched = Watched::new(server, activity, clock.clone(), PATIENCE);
        let ending = tokio::spawn(async move {
            // The alarm rings in a flush, as it does under a protocol that has nothing to read.
            std::future::poll_fn(|cx| {
                assert!(Pin::new(&mut watched).poll_flush(cx).is_ready());
                if watched.reading.as_ref().is_some_and(Alarm::has_rung) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            for _ in 0..2 {
                watched.flush().await.unwrap();
                assert_eq!(watched.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
            }
            for _ in 0..2 {
                assert_eq!(watched.write_all(b"too long").await.unwrap_err().kind(), io::ErrorKind::TimedOut);
            }
            for _ in 0..2 {
                watched.shutdown().await.unwrap();
            }
        });
        for _ in 0..400 {
            clock.advance(Duration::from_secs(1)).await;
        }
        assert!(ending.is_finished());
        ending.await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_that_is_not_taken_ends_the_connection() {
        let (_client, server) = duplex(4);
        let clock = Arc::new(SimClock::default());
        let mut watched = Watched::new(server, Arc::default(), clock.clone(), PATIENCE);
        let writer = tokio::spawn(async move { watched.write_all(b"too long").await.unwrap_err().kind() });
        clock.advance(Duration::from_secs(59)).await;
        assert!(!writer.is_finished());
        clock.advance(Duration::from_secs(1)).await;
        assert_eq!(writer.await.unwrap(), io::ErrorKind::TimedOut);
    }
}
