"""What every adapter must do, as tests: run over the provinces here and over a province of another distribution alike."""
