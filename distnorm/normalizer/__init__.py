"""The loop: simulate, measure, agree, decide, normalize."""
