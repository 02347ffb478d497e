//! The table of endpoints.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};

use crate::call::{Call, Endpoint};
use crate::reply::Reply;
use crate::state::App;
use crate::{authorize, control, device, discovery, grants, misbehave, resource};

pub(crate) fn router(app: &Arc<App>) -> Router {
    const GET: MethodFilter = MethodFilter::GET;
    const POST: MethodFilter = MethodFilter::POST;
    let router = Router::new()
        .route(
            "/.well-known/openid-configuration",
            at(GET, Endpoint::Discovery, |app, _| discovery::configuration(app)),
        )
        .route(
            "/.well-known/oauth-authorization-server",
            at(GET, Endpoint::Discovery, |app, _| discovery::configuration(app)),
        )
        .route("/jwks", at(GET, Endpoint::Jwks, |app, _| Reply::json(app.signer.jwks())))
        .route("/authorize", at(GET, Endpoint::Authorize, authorize::ask))
        .route("/authorize/decide", at(POST, Endpoint::Authorize, authorize::decide))
        .route("/token", at(POST, Endpoint::Token, grants::token))
        .route("/device", at(POST, Endpoint::Device, device::begin))
        .route(
            "/device/verify",
            at(GET, Endpoint::Device, device::page).merge(at(POST, Endpoint::Device, device::decide)),
        )
        .route("/me", at(GET, Endpoint::Userinfo, resource::me))
        .route(
            "/userinfo",
            at(GET, Endpoint::Userinfo, resource::me).merge(at(POST, Endpoint::Userinfo, resource::me)),
        )
        .route("/revoke", at(POST, Endpoint::Revoke, resource::revoke))
        .route("/introspect", at(POST, Endpoint::Introspect, resource::introspect));
    let router = if app.options.control { router.merge(control::routes()) } else { router };
    router.with_state(app.clone())
}

fn at(method: MethodFilter, endpoint: Endpoint, process: fn(&App, &Call) -> Reply) -> MethodRouter<Arc<App>> {
    on(method, move |State(app): State<Arc<App>>, request: Request| async move {
        let response: Response = misbehave::serve(app, endpoint, process, request).await;
        response
    })
}
