"""What leave offers to the rest."""
