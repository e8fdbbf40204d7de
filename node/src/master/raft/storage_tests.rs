//! The log and the state machine keep what raft relies on, whatever happens to the power.

use std::sync::Arc;

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use quidditch_engine::directory::ram::RamDirectory;

use super::log_store::LogStore;
use super::state_machine::StateMachine;
use super::types::TypeConfig;

struct Stores;

impl StoreBuilder<TypeConfig, LogStore, StateMachine> for Stores {
    async fn build(&self) -> Result<((), LogStore, StateMachine), StorageError<TypeConfig>> {
        let directory = Arc::new(RamDirectory::new());
        let log = LogStore::open(directory.clone()).unwrap();
        Ok(((), log, StateMachine::open(directory).unwrap()))
    }
}

#[tokio::test]
async fn the_suite_of_raft_itself_passes() {
    Suite::test_all(Stores).await.unwrap();
}
