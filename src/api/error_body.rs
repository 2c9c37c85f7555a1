//! The body of a refusal, as Flink's clients read it.

use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Status 404 with one sentence.
pub fn not_found(sentence: &str) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "errors": [sentence] }))).into_response()
}

/// What every path gets that is not in the table.
pub async fn unknown_path(uri: Uri) -> Response {
    not_found(&format!("there is nothing at {}", uri.path()))
}
