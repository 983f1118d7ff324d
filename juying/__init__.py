"""juying: issue, read and verify the 聚英卡."""
