"""What the application and each kind of screen can be told to do, for actions to name without knowing them."""

from __future__ import annotations


class ActsOnTree:
    """A screen with a layer tree."""

    def do_toggle(self) -> None:
        """Train or freeze the layer under the cursor."""
        raise NotImplementedError

    def do_what_if(self) -> None:
        """Ask what toggling it would cost."""
        raise NotImplementedError


class ActsOnLayers:
    """The screen of all layers."""

    def do_only_this(self) -> None:
        """Train the layer under the cursor, freeze all others but the head."""
        raise NotImplementedError

    def do_only_norms(self) -> None:
        """Train the normalisation layers only."""
        raise NotImplementedError

    def do_only_biases(self) -> None:
        """Train the biases only."""
        raise NotImplementedError

    def do_find_layer(self) -> None:
        """Ask for a part of a name."""
        raise NotImplementedError


class ActsOnPlots:
    """A screen with plots."""

    def do_log_scale(self) -> None:
        """Switch the loss axis between linear and logarithmic."""
        raise NotImplementedError

    def do_x_axis(self) -> None:
        """Switch the x axis: epoch, step, time."""
        raise NotImplementedError

    def do_per_batch(self) -> None:
        """Show the training curve by epoch where it is by batch, and the other way round."""
        raise NotImplementedError

    def do_smooth_less(self) -> None:
        """Smooth the training curve by batch less."""
        raise NotImplementedError

    def do_smooth_more(self) -> None:
        """Smooth the training curve by batch more."""
        raise NotImplementedError


class ActsOnImages:
    """A screen with a list of images."""

    def do_order_images(self) -> None:
        """The greatest loss first, or the errors, the most certain first."""
        raise NotImplementedError

    def do_all_images(self) -> None:
        """All of them again."""
        raise NotImplementedError

    def do_open_file(self) -> None:
        """Ask for a path."""
        raise NotImplementedError


class ActsOnMatrix:
    """A screen with a confusion matrix."""

    def do_show_images(self) -> None:
        """The images in the cell under the cursor."""
        raise NotImplementedError

    def do_shares(self) -> None:
        """Counts, or shares of the true class."""
        raise NotImplementedError


class ActsOnRuns:
    """A screen with a table of runs."""

    def do_mark_run(self) -> None:
        """Mark the run under the cursor, to compare it."""
        raise NotImplementedError

    def do_sort_runs(self) -> None:
        """The next order."""
        raise NotImplementedError

    def do_overlay_runs(self) -> None:
        """Draw the marked runs' curves on the main screen, too."""
        raise NotImplementedError

    def do_below_runs(self) -> None:
        """The next of what there is below the table."""
        raise NotImplementedError

    def do_remove_run(self) -> None:
        """Ask, then remove the run under the cursor."""
        raise NotImplementedError


class ActsOnLog:
    """A screen with the whole log."""

    def do_find_line(self) -> None:
        """Ask for a text."""
        raise NotImplementedError


class ActsOnApp:
    """The application."""

    def do_theme(self) -> None:
        """Switch between dark and light."""
        raise NotImplementedError

    def do_learning_rate(self) -> None:
        """Ask for the head's learning rate."""
        raise NotImplementedError

    def do_help(self) -> None:
        """List what works on this screen."""
        raise NotImplementedError

    def do_detach(self) -> None:
        """Leave the dashboard; the run goes on in this terminal."""
        raise NotImplementedError

    def do_quit_or_ask(self) -> None:
        """Leave at once when nothing is lost, else ask."""
        raise NotImplementedError

    def do_end_or_ask(self) -> None:
        """End the run, and ask before anything is lost."""
        raise NotImplementedError
