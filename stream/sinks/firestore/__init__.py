"""The export for the brand's other systems: profiles, runs and alerts as Firestore documents."""
