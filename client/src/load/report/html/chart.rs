//! A chart as SVG: its axes, its legend, and what is drawn between them.
//!
//! Places across are percents, so that the chart is as wide as the page, and its text keeps its size. Curves are in an inner
//! drawing of 1,000 units, which is stretched.

use std::fmt::Write as _;

use super::{markup::Text, scale::Tick};

/// Width of the inner drawing.
const WIDTH: f64 = 1000.0;

/// Distance of a label from its axis.
const LABEL_GAP: u32 = 8;

/// Chart.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// Name of its values in the data of the page, which charts with the same horizontal axis share.
    pub(crate) key: &'static str,
    /// Title.
    pub(crate) title: String,
    /// What it shows, for readers who do not see it.
    pub(crate) summary: String,
    /// Height in pixels.
    pub(crate) height: u32,
    /// Ticks of the horizontal axis.
    pub(crate) x: Vec<Tick>,
    /// Title of the horizontal axis; empty if the chart below it has it.
    pub(crate) x_title: String,
    /// Ticks of the vertical axis.
    pub(crate) y: Vec<Tick>,
    /// What is drawn.
    pub(crate) shapes: Shapes,
}

/// Line of a chart: the drawing of its curve, which is also its colour, and never the only difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stroke {
    /// Solid.
    First,
    /// Dashed.
    Second,
    /// Dotted.
    Third,
}

impl Stroke {
    fn class(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
            Self::Third => "third",
        }
    }
}

/// What is drawn in a chart, and the legend of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shapes {
    height: u32,
    /// Elements of the inner drawing.
    stretched: String,
    /// Elements at percents.
    placed: String,
    legend: String,
}

impl Shapes {
    /// Returns an empty drawing of this height.
    pub(crate) fn new(height: u32) -> Self {
        Self { height, ..Self::default() }
    }

    /// Returns its height.
    pub(crate) fn height(&self) -> u32 {
        self.height
    }

    /// Returns the vertical coordinate of a place.
    fn y(&self, place: f64) -> f64 {
        (1.0 - place) * f64::from(self.height)
    }

    /// Adds a curve through these places. It has a gap where one is missing, and dots if `has_dots`.
    pub(crate) fn curve(&mut self, stroke: Stroke, points: &[Option<(f64, f64)>], has_dots: bool) {
        let class = stroke.class();
        let path = self.path(points);
        let _ = write!(self.stretched, "<path class=\"curve {class}\" d=\"{path}\"/>");
        if has_dots {
            let dots = points.iter().flatten().map(|&(x, y)| self.path(&[Some((x, y))]));
            let dots: String = dots.collect();
            let _ = write!(self.stretched, "<path class=\"dots {class}\" d=\"{dots}\"/>");
        }
    }

    /// Adds the area below a curve.
    pub(crate) fn area(&mut self, points: &[(f64, f64)]) {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
        let ends = [Some((first.0, 0.0))].into_iter();
        let all = ends.chain(points.iter().map(|it| Some(*it))).chain([Some((last.0, 0.0))]);
        let path = self.path(&all.collect::<Vec<_>>());
        let _ = write!(self.stretched, "<path class=\"area\" d=\"{path}z\"/>");
    }

    fn path(&self, points: &[Option<(f64, f64)>]) -> String {
        let mut path = String::new();
        let mut is_open = false;
        for (index, point) in points.iter().enumerate() {
            let Some((x, y)) = *point else {
                is_open = false;
                continue;
            };
            let (x, y) = (short(x * WIDTH), short(self.y(y)));
            let _ = write!(path, "{}{x} {y}", if is_open { "L" } else { "M" });
            // A line of no length is a dot.
            if !is_open && points.get(index + 1).is_none_or(Option::is_none) {
                path += "h0";
            }
            is_open = true;
        }
        path
    }

    /// Adds bars from the bottom, each from a place to another, with its height. A bar is at least a pixel high.
    pub(crate) fn bars(&mut self, class: &str, bars: impl IntoIterator<Item = (f64, f64, f64)>) {
        let mut path = String::new();
        let height = f64::from(self.height);
        for (from, to, share) in bars.into_iter().filter(|(.., share)| *share > 0.0) {
            let top = short(self.y(share).min(height - 1.0));
            let (from, to) = (short(from * WIDTH), short(to * WIDTH));
            let _ = write!(path, "M{from} {height}V{top}H{to}V{height}z");
        }
        if !path.is_empty() {
            let _ = write!(self.stretched, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }

    /// Adds a vertical line.
    pub(crate) fn line(&mut self, x: f64) {
        let percent = short(100.0 * x);
        let _ = write!(
            self.placed,
            "<line class=\"marker\" x1=\"{percent}%\" x2=\"{percent}%\" y1=\"0\" y2=\"100%\"/>"
        );
    }

    /// Adds a vertical line with a label at this distance from the top.
    pub(crate) fn marker(&mut self, x: f64, label: &str, top: u32) {
        self.line(x);
        let percent = short(100.0 * x);
        let (anchor, gap) = if x > 0.5 { ("end", "-5") } else { ("start", "5") };
        let _ = write!(
            self.placed,
            "<text class=\"value\" x=\"{percent}%\" dx=\"{gap}\" y=\"{top}\" text-anchor=\"{anchor}\">{}</text>",
            Text(label)
        );
    }

    /// Adds a point: a circle if it is good, a cross if it is not.
    pub(crate) fn point(&mut self, x: f64, y: f64, is_good: bool) {
        let (x, y) = (short(100.0 * x), short(self.y(y)));
        let shape = if is_good {
            format!("<circle class=\"point\" cx=\"{x}%\" cy=\"{y}\" r=\"5\"/>")
        } else {
            let cross = "<path class=\"cross\" d=\"M-4-4 4 4M4-4-4 4\"/>";
            format!("<svg x=\"{x}%\" y=\"{y}\" width=\"1\" height=\"1\">{cross}</svg>")
        };
        self.placed += &shape;
    }

    /// Adds an interval with its estimate.
    pub(crate) fn interval(&mut self, y: f64, [from, at, to]: [f64; 3]) {
        let y = short(self.y(y));
        let [from, at, to] = [from, at, to].map(|it| short(100.0 * it));
        let _ = write!(
            self.placed,
            "<line class=\"whisker\" x1=\"{from}%\" x2=\"{to}%\" y1=\"{y}\" y2=\"{y}\"/>\
             <circle class=\"dot\" cx=\"{at}%\" cy=\"{y}\" r=\"5.5\"/>"
        );
    }

    /// Adds a line to the legend.
    pub(crate) fn name_curve(&mut self, stroke: Stroke, name: &str) {
        let class = stroke.class();
        let line = format!("<line class=\"curve {class}\" x1=\"1\" x2=\"27\" y1=\"5\" y2=\"5\"/>");
        self.name(&line, name);
    }

    /// Adds an area or bars to the legend.
    pub(crate) fn name_bars(&mut self, class: &str, name: &str) {
        let area = format!("<rect class=\"{class}\" x=\"7\" width=\"14\" height=\"10\"/>");
        self.name(&area, name);
    }

    /// Adds the points that are good, or not, to the legend.
    pub(crate) fn name_points(&mut self, is_good: bool, name: &str) {
        let shape = if is_good {
            "<circle class=\"point\" cx=\"14\" cy=\"5\" r=\"5\"/>"
        } else {
            "<path class=\"cross\" d=\"M10 1l8 8M18 1l-8 8\"/>"
        };
        self.name(shape, name);
    }

    fn name(&mut self, sample: &str, name: &str) {
        let _ = write!(
            self.legend,
            "<li><svg width=\"28\" height=\"10\" aria-hidden=\"true\">{sample}</svg>{}</li>",
            Text(name)
        );
    }
}

impl Chart {
    /// Returns the chart in HTML.
    pub(crate) fn render(&self) -> String {
        let Self { key, height, .. } = self;
        let (title, summary) = (Text(&self.title), Text(&self.summary));
        let legend = match &self.shapes.legend[..] {
            "" => String::new(),
            items => format!("<ul class=\"legend\">{items}</ul>"),
        };
        let flat = if self.x_title.is_empty() { " flat" } else { "" };
        format!(
            "<figure class=\"chart\"><figcaption>{title}{legend}</figcaption>\
             <div class=\"box{flat}\" data-chart=\"{key}\">\
             <svg width=\"100%\" height=\"{height}\" role=\"img\" aria-label=\"{title}: {summary}\">\
             <title>{title}</title><desc>{summary}</desc>{}{}{}</svg></div></figure>\n",
            self.grid(),
            self.drawing(),
            self.labels()
        )
    }

    fn grid(&self) -> String {
        let mut grid = String::new();
        let class = |tick: &Tick| if tick.label.is_some() { "grid" } else { "minor" };
        // Labelled lines are drawn above the minor ones.
        for is_labelled in [false, true] {
            for tick in self.y.iter().filter(|tick| tick.label.is_some() == is_labelled) {
                let (class, y) = (class(tick), short(self.shapes.y(tick.at)));
                let _ = write!(grid, "<line class=\"{class}\" x2=\"100%\" y1=\"{y}\" y2=\"{y}\"/>");
            }
            for tick in self.x.iter().filter(|tick| tick.label.is_some() == is_labelled) {
                let (class, x) = (class(tick), short(100.0 * tick.at));
                let _ =
                    write!(grid, "<line class=\"{class}\" x1=\"{x}%\" x2=\"{x}%\" y2=\"100%\"/>");
            }
        }
        let height = self.height;
        grid + &format!("<line class=\"axis\" x2=\"100%\" y1=\"{height}\" y2=\"{height}\"/>")
    }

    fn drawing(&self) -> String {
        let (height, Shapes { stretched, placed, .. }) = (self.height, &self.shapes);
        format!(
            "<svg width=\"100%\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" preserveAspectRatio=\"none\">\
             {stretched}</svg>{placed}"
        )
    }

    fn labels(&self) -> String {
        let mut labels = String::new();
        for (tick, label) in labelled(&self.y) {
            let y = short(self.shapes.y(tick.at));
            let _ = write!(
                labels,
                "<text x=\"-{LABEL_GAP}\" y=\"{y}\" dy=\"4\" text-anchor=\"end\">{label}</text>"
            );
        }
        if self.x_title.is_empty() {
            return labels;
        }
        for (tick, label) in labelled(&self.x) {
            let (x, y) = (short(100.0 * tick.at), self.height + 18);
            let class = if tick.is_wide { " class=\"wide\"" } else { "" };
            let _ = write!(
                labels,
                "<text{class} x=\"{x}%\" y=\"{y}\" text-anchor=\"middle\">{label}</text>"
            );
        }
        let (title, y) = (Text(&self.x_title), self.height + 36);
        labels + &format!("<text x=\"100%\" y=\"{y}\" text-anchor=\"end\">{title}</text>")
    }
}

fn labelled(ticks: &[Tick]) -> impl Iterator<Item = (&Tick, Text<&str>)> {
    ticks.iter().filter_map(|tick| Some((tick, Text(tick.label.as_deref()?))))
}

/// Formats a coordinate with one decimal: more would not be seen.
fn short(coordinate: f64) -> String {
    let text = format!("{coordinate:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
